// What data files are after a death at any instant, on a full disk, and with damage.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <random>
#include <string_view>
#include <vector>

#include "drawstore/error.hpp"
#include "faults.hpp"
#include "file/file_rows.hpp"
#include "file_stores.hpp"

using drawstore::FileRows;
using drawstore::Rows;
using drawstore::TailStore;
using faults::changes_left;
using faults::fail_after_some_changes;
using faults::Shared;
using namespace file_stores;

namespace {

constexpr std::size_t small_tail = 8192;

// What a child tells of itself.
struct Told {
    std::atomic<std::uint64_t> appended{0};  // rows whose append returned
    std::atomic<std::uint64_t> begun{0};     // those, and the ones of the append that had begun
};

void append_counted(Rows& rows, std::uint64_t n, const Shared<Told>& shared) {
    shared->begun = rows.size() + n;
    append(rows, n);
    shared->appended = rows.size();
}

void write_some(const fs::path& path, bool ragged, TailStore where, const Shared<Told>& shared) {
    const auto rows =
        FileRows::create(path, 0, ragged ? ragged_columns() : rigid_columns(), {where, small_tail});
    for (int i = 0; i < 4; ++i) append_counted(*rows, 1, shared);
    append_counted(*rows, ragged ? 300 : 10, shared);
    for (int i = 0; i < (ragged ? 90 : 5); ++i) append_counted(*rows, i % 20 == 0 ? 2 : 1, shared);
}

void check_survivor(const fs::path& path, const Shared<Told>& shared) {
    if (!fs::exists(path)) {
        CHECK(shared->appended == 0);
        return;
    }
    const auto reader = FileRows::open_to_read(path);
    const std::uint64_t n = reader->size();
    const bool all_or_none = n == shared->appended || n == shared->begun;
    CHECK(all_or_none);
    CHECK(are_right(*reader));
    const auto writer = FileRows::open_to_write(path, {});
    CHECK(writer->size() == n);
    append(*writer, 1);
    append(*writer, 200);
    CHECK(are_right(*writer));
    reader->refresh();
    CHECK(reader->size() == n + 201);
    CHECK(are_right(*reader));
}

// Damage is either noticed, or does not matter.
void check_damaged(const fs::path& path, std::uint64_t n, bool write) {
    try {
        const auto rows = write ? FileRows::open_to_write(path, {}) : FileRows::open_to_read(path);
        const bool right = rows->size() == n && are_right(*rows);
        CHECK(right);
    } catch (const drawstore::DataError& error) {
        CHECK(std::string(error.what()).find(path.string()) != std::string::npos);
    }
}

}  // namespace

TEST_CASE("a writer may die before any change of its file") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const bool ragged : {false, true}) {
            faults::die_before_changes<Told>(
                60, 7,
                [&](const fs::path& path, const Shared<Told>& shared) {
                    write_some(path, ragged, where, shared);
                },
                check_survivor);
        }
    }
}

TEST_CASE("any change of a file may fail, and no row is lost or there twice") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const bool ragged : {false, true}) {
            bool failed = true;
            for (int k = 0; failed; k += k < 60 ? 1 : 7) {
                const Folder folder;
                const auto path = folder / "chain";
                const auto rows = FileRows::create(
                    path, 0, ragged ? ragged_columns() : rigid_columns(), {where, small_tail});
                changes_left = k;
                drawstore::file::before_change = fail_after_some_changes;
                failed = false;
                for (int i = 0; i < (ragged ? 60 : 9); ++i) {
                    const std::uint64_t before = rows->size();
                    const std::uint64_t n = i == 5 ? (ragged ? 200 : 7) : 1;
                    try {
                        append(*rows, n);
                    } catch (const drawstore::SystemError&) {
                        failed = true;
                        rows->abandon();
                        rows->reopen();  // where it is not known what was written
                        CHECK(rows->size() == before);
                    }
                }
                drawstore::file::before_change = nullptr;
                CHECK(are_right(*rows));
                const auto reader = FileRows::open_to_read(path);
                CHECK(reader->size() == rows->size());
                CHECK(are_right(*reader));
            }
        }
    }
}

TEST_CASE("rows survive the death of their writer at any instant") {
    std::mt19937 random(1);
    for (int round = 0; round < 30; ++round) {
        const Folder folder;
        const Shared<Told> shared;
        const bool ragged = round % 2 == 1;
        const auto where = round % 3 == 0 ? TailStore::Written : TailStore::Mapped;
        const pid_t child = fork();
        if (child == 0) {
            const auto rows =
                FileRows::create(folder / "chain", 0, ragged ? ragged_columns() : rigid_columns(),
                                 {where, small_tail});
            for (;;) append_counted(*rows, rows->size() % 40 == 3 ? 50 : 1, shared);
        }
        while (shared->appended == 0) {
        }
        usleep(static_cast<useconds_t>(random() % 5000));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        check_survivor(folder / "chain", shared);
    }
}

TEST_CASE("a full disk is an error, and rows are appended again when there is room") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const std::uint64_t at_once : {1, 30}) {
            const Folder folder;
            const auto path = folder / "chain";
            const auto rows = FileRows::create(path, 0, rigid_columns(), {where, 64 * 1024});
            append(*rows, 3);
            const auto old_handler = signal(SIGXFSZ, SIG_IGN);
            rlimit old{};
            getrlimit(RLIMIT_FSIZE, &old);
            const rlimit limit{300'000, old.rlim_max};
            REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
            bool refused = false;
            while (!refused) {
                try {
                    append(*rows, at_once);
                } catch (const drawstore::SystemError& error) {
                    CHECK(error.code() == EFBIG);
                    rows->abandon();
                    refused = true;
                }
            }
            const std::uint64_t n = rows->size();
            CHECK_THROWS_AS(append(*rows, 100), drawstore::SystemError);
            rows->abandon();
            CHECK(rows->size() == n);
            CHECK(are_right(*rows));
            CHECK(are_right(*FileRows::open_to_read(path)));
            const rlimit nothing{10'000, old.rlim_max};
            setrlimit(RLIMIT_FSIZE, &nothing);
            CHECK_THROWS_AS(FileRows::create(folder / "new", 0, rigid_columns(), {where}),
                            drawstore::SystemError);
            CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
            setrlimit(RLIMIT_FSIZE, &old);
            signal(SIGXFSZ, old_handler);
            for (int i = 0; i < 50; ++i) append(*rows, at_once);
            CHECK(rows->size() == n + 50 * at_once);
            CHECK(are_right(*rows));
            CHECK(are_right(*FileRows::open_to_read(path)));
        }
    }
}

TEST_CASE("flipped bits are noticed, wherever they matter") {
    for (const bool ragged : {false, true}) {
        const Folder folder;
        const Shared<Told> shared;
        write_some(folder / "good", ragged, TailStore::Auto, shared);
        const std::uint64_t n = FileRows::count_rows(folder / "good");
        const auto good = contents(folder / "good");
        const auto path = folder / "bad";
        std::mt19937 random(2);
        for (int round = 0; round < 700; ++round) {
            auto bytes = good;
            // Every byte of the header once, and others at random.
            const std::size_t at = round < 64    ? static_cast<std::size_t>(round)
                                   : round < 104 ? static_cast<std::size_t>(round) - 64 + 1024
                                   : round < 144 ? static_cast<std::size_t>(round) - 104 + 1536
                                   : round < 200 ? static_cast<std::size_t>(round) - 144 + 4096
                                   : round < 300 ? static_cast<std::size_t>(round) - 200 + 8192
                                   : round < 400 ? static_cast<std::size_t>(round) - 300 + 16384
                                                 : random() % bytes.size();
            bytes[at] ^= std::byte{1} << random() % 8;
            write_contents(path, bytes);
            check_damaged(path, n, round % 2 == 1);
        }
    }
}

TEST_CASE("where the head of a block is damaged, the other blocks are read") {
    for (const bool ragged : {false, true}) {
        const Folder folder;
        const auto rows = FileRows::create(
            folder / "good", 0, ragged ? ragged_columns() : rigid_columns(), {{}, small_tail});
        while (rows->size() < 1500) append(*rows, 1);
        rows->close();
        const auto good = contents(folder / "good");
        const std::string_view text(reinterpret_cast<const char*>(good.data()), good.size());
        int n_heads = 0;
        for (std::size_t at = 0; (at = text.find("drawblck", at)) != text.npos; at += 4096) {
            auto bytes = good;
            bytes[at + 9] ^= std::byte{1};  // in the number of its first row
            write_contents(folder / "bad", bytes);
            const auto bad = FileRows::open_to_read(folder / "bad");
            REQUIRE(bad->size() == rows->size());
            ++n_heads;
            if (!ragged) {
                CHECK(are_right(*bad));
                continue;
            }
            std::uint64_t n_lost = 0;
            for (std::uint64_t row = 0; row < bad->size(); ++row) {
                try {
                    const bool right = are_right(*bad, row, row + 1);
                    CHECK(right);
                } catch (const drawstore::DataError&) {
                    ++n_lost;
                }
            }
            CHECK(n_lost > 0);
            CHECK(n_lost < bad->size() / 2);
        }
        CHECK(n_heads > 3);
    }
}

TEST_CASE("a file that was cut off is noticed, wherever") {
    for (const bool ragged : {false, true}) {
        const Folder folder;
        const Shared<Told> shared;
        write_some(folder / "good", ragged, TailStore::Auto, shared);
        const std::uint64_t n = FileRows::count_rows(folder / "good");
        const auto good = contents(folder / "good");
        const auto path = folder / "bad";
        for (std::size_t size = 0; size < good.size(); size += size < 1100 ? 7 : 1009) {
            write_contents(path, std::span(good).first(size));
            check_damaged(path, n, size % 2 == 1);
        }
    }
}

TEST_CASE("files of others and of newer versions are refused") {
    const Folder folder;
    const auto path = folder / "chain";
    for (const std::size_t size : {0, 5, 4096, 100'000}) {
        write_contents(path, std::vector<std::byte>(size, std::byte{'x'}));
        CHECK_THROWS_WITH_AS(FileRows::open_to_read(path),
                             doctest::Contains("is not a data file of drawstore"),
                             drawstore::DataError);
    }
    fs::remove(path);
    append(*FileRows::create(path, 0, rigid_columns(), {}), 1);
    auto newer = contents(path);
    newer[8] = std::byte{3};
    write_contents(path, newer);
    CHECK_THROWS_WITH_AS(FileRows::open_to_write(path, {}),
                         doctest::Contains("install a newer one"), drawstore::DataError);
    CHECK_THROWS_AS(FileRows::open_to_read(folder / "none"), drawstore::SystemError);
}

TEST_CASE("a reader of a file that is cut off meanwhile gets an error") {
    const Folder folder;
    const auto path = folder / "chain";
    auto rows = FileRows::create(path, 0, rigid_columns(), {TailStore::Auto, small_tail});
    append(*rows, 50);
    append(*rows, 2);
    rows.reset();
    const auto reader = FileRows::open_to_read(path);
    fs::resize_file(path, 9000);
    CHECK_THROWS_AS(reader->read(0, 0, 52, 1), drawstore::DataError);
    CHECK_THROWS_AS(reader->read(0, 51, 52, 1), drawstore::DataError);
    CHECK_THROWS_AS(reader->refresh(), drawstore::DataError);
}
