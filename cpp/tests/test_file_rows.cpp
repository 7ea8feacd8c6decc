#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "drawstore/error.hpp"
#include "file/file_rows.hpp"
#include "file_stores.hpp"

using drawstore::FileRows;
using drawstore::Rows;
using drawstore::TailStore;
using namespace file_stores;

namespace {

constexpr std::size_t small_tail = 16 * 1024;

std::unique_ptr<FileRows> make(const fs::path& path, std::vector<Rows::Column> columns,
                               TailStore tail = TailStore::Auto,
                               std::size_t tail_bytes = small_tail) {
    return FileRows::create(path, 3, std::move(columns), {tail, tail_bytes});
}

void check_everywhere(const FileRows& rows, const fs::path& path, std::size_t longest = 40) {
    const auto reader = FileRows::open_to_read(path);
    CHECK(reader->size() == rows.size());
    CHECK(FileRows::count_rows(path) == rows.size());
    const std::uint64_t n = rows.size();
    for (const Rows* each : {static_cast<const Rows*>(&rows), static_cast<const Rows*>(&*reader)}) {
        CHECK(are_right(*each, 0, n, 1, longest));
        CHECK(are_right(*each, n / 3, n, 1, longest));
        CHECK(are_right(*each, 0, n, 7, longest));
        CHECK(are_right(*each, n / 2, n - n / 4, 3, longest));
        CHECK(are_right(*each, n - 1, n, 1, longest));
        CHECK(are_right(*each, 0, 0, 1, longest));
    }
}

}  // namespace

TEST_CASE("rows of a file are what was appended, in tail and blocks") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const bool ragged : {false, true}) {
            const Folder folder;
            const auto path = folder / "chain";
            const auto rows = make(path, ragged ? ragged_columns() : rigid_columns(), where);
            for (int i = 0; i < 25; ++i) {
                append(*rows, 1);
                append(*rows, 3);
                if (i % 5 == 0) check_everywhere(*rows, path);
            }
            append(*rows, 1000);  // in several blocks, all or none
            check_everywhere(*rows, path);
            for (int i = 0; i < 400; ++i) append(*rows, 1);
            check_everywhere(*rows, path);
        }
    }
}

TEST_CASE("rows of any size fit, also those larger than the tail") {
    const Folder folder;
    const auto path = folder / "chain";
    const auto rows = make(path, ragged_columns());
    for (int i = 0; i < 40; ++i) append(*rows, 1 + i % 2, 30'000);
    check_everywhere(*rows, path, 30'000);

    const auto wide = make(folder / "wide", {{100'000, false, 8}, {4, false, 4}});
    for (int i = 0; i < 5; ++i) append(*wide, 1);
    append(*wide, 3);
    check_everywhere(*wide, folder / "wide");
}

TEST_CASE("the tail of a new file is small, and grows while there are no blocks") {
    const Folder folder;
    const auto path = folder / "chain";
    const auto rows = FileRows::create(path, 0, {{8, false, 8}}, {});
    CHECK(rows->bytes() < 100'000);
    append(*rows, 5);
    CHECK(rows->bytes() < 100'000);
    for (int i = 0; i < 5'000; ++i) append(*rows, 1);
    CHECK(rows->bytes() < 300'000);
    check_everywhere(*rows, path);
    for (int i = 0; i < 45'000; ++i) append(*rows, 1);
    check_everywhere(*rows, path);
    CHECK(rows->bytes() < 50'005 * 8 + 2'300'000);
}

TEST_CASE("an abandoned append leaves the file as it was") {
    for (const bool ragged : {false, true}) {
        const Folder folder;
        const auto path = folder / "chain";
        const auto rows = make(path, ragged ? ragged_columns() : rigid_columns());
        append(*rows, 2);
        for (const std::uint64_t n : {1, 500, 2}) {
            const std::vector<std::size_t> sizes(ragged ? rows->columns().size() : 0);
            rows->begin();
            for (std::uint64_t done = 0; done < n;) {
                const auto slots = rows->room(n - done, sizes);
                for (std::size_t c = 0; c < rows->columns().size(); ++c) {
                    const std::size_t bytes = rows->columns()[c].bytes;
                    for (std::uint64_t i = 0; i < slots.n_rows; ++i) {
                        std::fill_n(slots.at(c, i), bytes, std::byte{1});
                    }
                }
                done += slots.n_rows;
            }
            rows->abandon();
            check_everywhere(*rows, path);
            append(*rows, 3);
            check_everywhere(*rows, path);
        }
    }
}

TEST_CASE("a file without columns, and columns without bytes, count rows") {
    const Folder folder;
    const auto none = make(folder / "none", {});
    append(*none, 3);
    append(*none, 100'000);
    CHECK(none->size() == 100'003);
    CHECK(FileRows::count_rows(folder / "none") == 100'003);
    const auto empty = make(folder / "empty", {{0, false, 8}});
    for (int i = 0; i < 3000; ++i) append(*empty, 1);
    check_everywhere(*empty, folder / "empty");
}

TEST_CASE("a file is resumed where it ended") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const bool ragged : {false, true}) {
            const Folder folder;
            const auto path = folder / "chain";
            make(path, ragged ? ragged_columns() : rigid_columns(), where);
            for (int i = 0; i < 60; ++i) {
                const auto rows = FileRows::open_to_write(path, {where});
                REQUIRE(rows->size() == static_cast<std::uint64_t>(4 * i));
                append(*rows, 3);
                append(*rows, 1);
                if (i % 3 == 0) rows->close();
                if (i % 13 == 0) check_everywhere(*rows, path);
            }
        }
    }
}

TEST_CASE("one handle writes a file, and others are told who it is") {
    const Folder folder;
    const auto path = folder / "chain";
    auto rows = make(path, rigid_columns());
    CHECK(make(path, rigid_columns()) == nullptr);
    const std::string me = "process " + std::to_string(getpid()) + " on host '";
    CHECK_THROWS_WITH_AS(FileRows::open_to_write(path, {}), doctest::Contains(me.c_str()),
                         drawstore::StateError);
    append(*rows, 2);
    rows->close();
    rows->close();
    CHECK_THROWS_AS(rows->begin(), drawstore::StateError);
    CHECK(are_right(*rows));
    {
        const auto other = FileRows::open_to_write(path, {});
        append(*other, 4);
        CHECK_THROWS_AS(rows->reopen(), drawstore::StateError);
    }
    rows->refresh();
    CHECK(rows->size() == 6);
    CHECK(are_right(*rows));
    rows->reopen();
    append(*rows, 5);
    check_everywhere(*rows, path);
    rows.reset();
    // Names of files that are being made do not stay.
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("what was opened to read takes no rows and changes nothing") {
    const Folder folder;
    const auto path = folder / "chain";
    append(*make(path, rigid_columns()), 30);
    const auto before = contents(path);
    const auto reader = FileRows::open_to_read(path);
    CHECK_THROWS_AS(reader->begin(), drawstore::StateError);
    reader->flush(true);
    reader->close();
    CHECK(are_right(*reader));
    CHECK(contents(path) == before);
}

TEST_CASE("a second thread cannot append meanwhile") {
    const Folder folder;
    const auto rows = make(folder / "chain", rigid_columns());
    rows->begin();
    std::thread([&] { CHECK_THROWS_AS(rows->begin(), drawstore::StateError); }).join();
    CHECK_THROWS_AS(rows->close(), drawstore::StateError);
    rows->abandon();
    append(*rows, 1);
    rows->flush(true);
    CHECK(rows->size() == 1);
}

TEST_CASE("readers see whole rows only while they are written") {
    for (const bool ragged : {false, true}) {
        const Folder folder;
        const auto path = folder / "chain";
        const auto rows =
            make(path, ragged ? ragged_columns() : rigid_columns(), TailStore::Auto, 8192);
        std::atomic<bool> done{false};
        std::atomic<int> reads{0};
        std::atomic<int> wrong{0};
        const auto read = [&](Rows& each) {
            while (!done) {
                each.refresh();
                const std::uint64_t n = each.size();
                const bool right = are_right(each, n - std::min<std::uint64_t>(n, 30), n) &&
                                   are_right(each, n / 2, n, n / 40 + 1);
                ++(right ? reads : wrong);
            }
        };
        const auto other = FileRows::open_to_read(path);
        std::vector<std::thread> threads;
        for (Rows* const each : {static_cast<Rows*>(&*rows), static_cast<Rows*>(&*other)}) {
            threads.emplace_back([&, each] { read(*each); });
            threads.emplace_back([&, each] { read(*each); });
        }
        for (int i = 0; i < 400 || reads + wrong < 40; ++i) append(*rows, i % 50 == 7 ? 100 : 1);
        done = true;
        for (auto& thread : threads) thread.join();
        CHECK(wrong == 0);
        check_everywhere(*rows, path);
    }
}

TEST_CASE("rows that no memory can hold are refused, and the file stays as it was") {
    const Folder folder;
    const auto path = folder / "chain";
    const auto rows = make(path, ragged_columns());
    append(*rows, 2);
    rows->begin();
    CHECK_THROWS_AS(
        rows->room(1,
                   std::vector<std::size_t>{0, std::numeric_limits<std::size_t>::max() / 4, 0, 0}),
        drawstore::MemoryError);
    rows->abandon();
    append(*rows, 2);
    check_everywhere(*rows, path);
}
