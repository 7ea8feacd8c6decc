// What data files are after a loss of power: each page as it was at any instant since the last
// sync. Rows hold a random number, so that one from a history that was lost is known.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "drawstore/error.hpp"
#include "file/file_rows.hpp"
#include "file/header.hpp"
#include "file_stores.hpp"

using drawstore::FileRows;
using drawstore::Rows;
using drawstore::TailStore;
using namespace file_stores;

namespace {

using Random = std::mt19937_64;
using Salts = std::vector<std::uint64_t>;  // of rows

constexpr std::size_t page = 4096;

std::size_t below(Random& random, std::size_t n) { return random() % n; }

// Of a file: what each page was since the last sync, oldest first.
class Pages {
  public:
    void look(const fs::path& path) {
        const auto size = static_cast<std::size_t>(fs::file_size(path));
        const bool is_durable = sizes_.empty();  // what is there at first
        now_.assign(std::max((size + page - 1) / page, all_.size()) * page, std::byte{0});
        std::ifstream(path, std::ios::binary)
            .read(reinterpret_cast<char*>(now_.data()), static_cast<std::streamsize>(size));
        for (std::size_t i = 0; i < now_.size() / page; ++i) {
            const std::span bytes(now_.data() + i * page, page);
            if (i == all_.size()) all_.emplace_back(1, std::vector<std::byte>(page));
            auto& versions = all_[i];
            if (std::memcmp(versions.back().data(), bytes.data(), page) == 0) continue;
            if (is_durable) versions.clear();
            versions.emplace_back(bytes.begin(), bytes.end());
        }
        if (sizes_.empty() || sizes_.back() != size) sizes_.push_back(size);
    }

    // A sync makes durable at least what is there when it begins.
    void begin_sync() {
        durable_.clear();
        for (const auto& versions : all_) durable_.push_back(versions.size() - 1);
        durable_size_ = sizes_.size() - 1;
    }
    void end_sync() {
        for (std::size_t i = 0; i < durable_.size(); ++i) {
            all_[i].erase(all_[i].begin(),
                          all_[i].begin() + static_cast<std::ptrdiff_t>(durable_[i]));
        }
        sizes_.erase(sizes_.begin(), sizes_.begin() + static_cast<std::ptrdiff_t>(durable_size_));
    }

    // The file after a loss of power now. Most pages are old, most are new, or it is even.
    std::vector<std::byte> lose(Random& random) const {
        const std::size_t odds = below(random, 3);
        const auto choose = [&](std::size_t n) {
            if (odds == 0 && below(random, 8) != 0) return n - 1;
            if (odds == 1 && below(random, 8) != 0) return std::size_t{0};
            return below(random, n);
        };
        std::vector<std::byte> bytes(sizes_[choose(sizes_.size())]);
        for (std::size_t at = 0; at < bytes.size(); at += page) {
            const auto& versions = all_[at / page];
            const auto& chosen = versions[choose(versions.size())];
            std::copy_n(chosen.begin(), std::min(page, bytes.size() - at),
                        bytes.begin() + static_cast<std::ptrdiff_t>(at));
        }
        return bytes;
    }

  private:
    std::vector<std::vector<std::vector<std::byte>>> all_;
    std::vector<std::byte> now_;
    std::vector<std::size_t> sizes_;
    std::vector<std::size_t> durable_;
    std::size_t durable_size_ = 0;
};

// A chain that is written until the power goes, again and again.
class Simulation {
  public:
    Simulation(std::uint64_t seed, bool ragged, TailStore where)
        : random_(seed), ragged_(ragged), options_{where, 2 * page, std::nullopt, 0} {
        const std::vector<Rows::Column> columns{{8, false, 8}, {0, ragged, 8}, {60, false, 1}};
        rows_ = FileRows::create(path_, 0, columns, options_);
        current = this;
        pages_.look(path_);
        drawstore::file::before_change = [] { current->look(); };
        drawstore::file::around_sync = [](bool done) { current->look_at_sync(done); };
    }
    ~Simulation() {
        drawstore::file::before_change = nullptr;
        drawstore::file::around_sync = nullptr;
    }

    // Appends, syncs and dies without a sync, then loses power. Returns whether all is as promised.
    void live() {
        images_left_ = 3 + below(random_, 4);
        next_image_ = below(random_, 20);
        for (std::size_t i = 10 + below(random_, 30); i > 0; --i) step();
        take_image();
        watching_ = false;
        rows_.reset();
        Image& last = images_.back();
        for (const Image& image : images_) check(image, &image == &last);
        images_.clear();
    }

    std::size_t losses = 0;

  private:
    struct Image {
        std::vector<std::byte> bytes;
        std::uint64_t durable;
        Salts salts;  // of rows that count, and of those that were just being appended
    };
    static inline Simulation* current = nullptr;

    void step() {
        const std::size_t what = below(random_, 40);
        if (what == 0) {
            rows_.reset();  // as if it were killed
            rows_ = FileRows::open_to_write(path_, options_);
            REQUIRE(rows_->size() >= salts_.size());
            REQUIRE(rows_->size() <= salts_.size() + begun_.size());
            salts_.insert(
                salts_.end(), begun_.begin(),
                begun_.begin() + static_cast<std::ptrdiff_t>(rows_->size() - salts_.size()));
            begun_.clear();
            durable_ = salts_.size();
        } else if (what < 5) {
            // What an abandoned append leaves is cleared by a sync, which would wait for this one.
            if (!abandoned_) append_while_syncing_ = below(random_, 3) * below(random_, 30);
            const std::uint64_t n = salts_.size();
            rows_->flush(true);
            durable_ = std::max(durable_, n);
        } else {
            append(what < 8 ? 1 + below(random_, 60) : what < 12 ? 1 + below(random_, 6) : 1);
        }
    }

    void append(std::size_t n, bool may_abandon = true) {
        abandoned_ = may_abandon && below(random_, 8) == 0;
        begun_.clear();
        while (begun_.size() < n) begun_.push_back(random_());
        rows_->begin();
        for (std::size_t done = 0; done < n;) {
            const std::vector<std::size_t> sizes{0, ragged_ ? begun_[done] % 300 : 0, 0};
            const auto slots =
                rows_->room(n - done, ragged_ ? std::span(sizes) : std::span<const std::size_t>());
            for (std::uint64_t i = 0; i < slots.n_rows; ++i, ++done) {
                std::memcpy(slots.at(0, i), &begun_[done], 8);
                const auto value = static_cast<int>(begun_[done] % 251);
                if (sizes[1] > 0) std::memset(slots.at(1, i), value, sizes[1]);
                std::memset(slots.at(2, i), value, 60);
            }
        }
        if (abandoned_) {
            rows_->abandon();
        } else {
            rows_->commit();
            salts_.insert(salts_.end(), begun_.begin(), begun_.end());
        }
        begun_.clear();
    }

    void look() {
        if (!watching_) return;
        pages_.look(path_);
        if (images_left_ > 0 && next_image_-- == 0) {
            --images_left_;
            next_image_ = below(random_, 20);
            take_image();
        }
    }

    void look_at_sync(bool done) {
        if (!watching_) return;
        pages_.look(path_);
        if (done) {
            pages_.end_sync();
            return;
        }
        pages_.begin_sync();
        for (auto n = std::exchange(append_while_syncing_, 0); n > 0; --n) append(1, false);
    }

    void take_image() {
        pages_.look(path_);
        Salts salts = salts_;
        salts.insert(salts.end(), begun_.begin(), begun_.end());
        images_.push_back({pages_.lose(random_), durable_, std::move(salts)});
    }

    void check(const Image& image, bool goes_on) {
        ++losses;
        const fs::path path = goes_on ? path_ : folder_ / "lost";
        write_contents(path, image.bytes);
        const auto reader = FileRows::open_to_read(path);
        const std::uint64_t n = reader->size();
        REQUIRE(n >= image.durable);
        REQUIRE(n <= image.salts.size());
        check_rows(*reader, image.salts, n);
        CHECK(fs::file_size(path) == image.bytes.size());
        if (!goes_on) return;
        watching_ = true;
        pages_ = {};
        pages_.look(path_);
        salts_.assign(image.salts.begin(), image.salts.begin() + static_cast<std::ptrdiff_t>(n));
        durable_ = image.durable;  // healing may be interrupted, too
        begun_.clear();
        rows_ = FileRows::open_to_write(path_, options_);
        REQUIRE(rows_->size() == n);
        durable_ = n;
        check_rows(*rows_, salts_, n);
        append(1);
        reader->refresh();
        check_rows(*reader, salts_, salts_.size());
    }

    void check_rows(const Rows& rows, const Salts& salts, std::uint64_t n) const {
        const auto found = rows.read(0, 0, n, 1);
        const auto filled = rows.read(2, 0, n, 1);
        const auto items = ragged_ ? rows.read_items(1, 0, n, 1) : Rows::Items{};
        std::size_t wrong = 0;
        for (std::uint64_t i = 0; i < n; ++i) {
            std::uint64_t salt = 0;
            std::memcpy(&salt, found.data + i * found.stride, 8);
            const auto value = static_cast<std::byte>(salts[i] % 251);
            const auto is_value = [&](std::byte byte) { return byte == value; };
            const auto* const begin = filled.data + i * filled.stride;
            bool right = salt == salts[i] && std::all_of(begin, begin + 60, is_value);
            if (ragged_) {
                right = right && items.items[i].size() == salts[i] % 300 &&
                        std::ranges::all_of(items.items[i], is_value);
            }
            wrong += !right;
        }
        CHECK(wrong == 0);
    }

    Random random_;
    const bool ragged_;
    const FileRows::Options options_;
    const Folder folder_;
    const fs::path path_ = folder_ / "chain";
    Pages pages_;
    std::unique_ptr<FileRows> rows_;
    Salts salts_;  // of rows whose append returned
    Salts begun_;  // of those that are being appended
    std::uint64_t durable_ = 0;
    std::size_t append_while_syncing_ = 0;
    bool abandoned_ = false;
    bool watching_ = true;
    std::size_t images_left_ = 0;
    std::size_t next_image_ = 0;
    std::vector<Image> images_;
};

}  // namespace

TEST_CASE("a loss of power costs no synced row, and leaves no wrong one") {
    std::size_t losses = 0;
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const bool ragged : {false, true}) {
            for (std::uint64_t seed = 0; seed < 10; ++seed) {
                Simulation simulation(seed, ragged, where);
                for (int life = 0; life < 6; ++life) {
                    CAPTURE(seed);
                    CAPTURE(life);
                    simulation.live();
                }
                losses += simulation.losses;
            }
        }
    }
    MESSAGE(losses, " losses of power");
    CHECK(losses > 1000);
}

TEST_CASE("rows become durable by themselves, and by closing") {
    const Folder folder;
    const auto path = folder / "chain";
    const auto synced_rows = [&] {
        const auto file = drawstore::file::File::open_to_read(path);
        const auto synced = drawstore::file::read_synced(file, drawstore::file::read_head(file));
        return synced.commit.block_rows + synced.in_tail;
    };
    FileRows::Options options{TailStore::Auto, 2 * page};
    options.sync_interval = 0.001;
    auto rows = FileRows::create(path, 0, rigid_columns(), options);
    for (int i = 1; i <= 20; ++i) {
        append(*rows, 1);
        while (synced_rows() < rows->size()) std::this_thread::yield();
    }
    options.sync_interval = 1000;
    rows.reset();
    rows = FileRows::open_to_write(path, options);
    append(*rows, 1);
    CHECK(synced_rows() == 20);
    rows->close();
    CHECK(synced_rows() == 21);
    options.sync_interval = 0;
    rows = FileRows::open_to_write(path, options);
    append(*rows, 1);
    rows->close();
    CHECK(synced_rows() == 21);
}

TEST_CASE("rows are appended while others are made durable") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        const Folder folder;
        FileRows::Options options{where, 2 * page};
        options.sync_interval = 1e-5;
        const auto rows = FileRows::create(folder / "chain", 0, ragged_columns(), options);
        std::atomic<bool> done{false};
        std::thread other([&] {
            while (!done) rows->flush(true);
        });
        for (int i = 0; i < 2'000; ++i) append(*rows, i % 50 == 7 ? 100 : 1);
        done = true;
        other.join();
        CHECK(are_right(*rows));
        rows->close();
        CHECK(are_right(*FileRows::open_to_read(folder / "chain")));
    }
}

TEST_CASE("an error of a sync in the background is one of the next append") {
    const Folder folder;
    FileRows::Options options;
    options.sync_interval = 0.001;
    const auto rows = FileRows::create(folder / "chain", 0, rigid_columns(), options);
    static std::atomic<bool> failed{false};
    drawstore::file::around_sync = [](bool) {
        if (!failed.exchange(true)) throw drawstore::SystemError(EIO, "", "the disk failed");
    };
    append(*rows, 1);
    std::uint64_t before = 0;
    const auto append_until_told = [&] {
        for (;;) {
            before = rows->size();
            append(*rows, 1);
        }
    };
    CHECK_THROWS_AS(append_until_told(), drawstore::SystemError);
    CHECK(rows->size() == before);
    append(*rows, 1);
    rows->flush(true);
    rows->close();
    drawstore::file::around_sync = nullptr;
    CHECK(are_right(*rows));
}
