// What of a journal is there after a loss of power: any page of the file may be as it was at the
// last sync, or at any moment since.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "journals.hpp"

using drawstore::Journal;
using drawstore::JournalChain;
using drawstore::JournalScan;
using drawstore::TailStore;
using namespace journals;

namespace {

constexpr std::size_t page = 4096;

// The versions of the pages of a file that a disk may hold.
class Disk {
  public:
    explicit Disk(fs::path path) : path_(std::move(path)) { sync(); }

    void sync() { versions_ = {contents(path_)}; }
    void look() { versions_.push_back(contents(path_)); }

    // The file after a loss of power now.
    std::vector<std::byte> after_loss(std::mt19937& random) {
        look();
        const auto any = [&]() -> const auto& { return versions_[random() % versions_.size()]; };
        std::vector<std::byte> left(any().size());
        // Some losses keep most of what is old, others most of what is new.
        const auto bias = random() % 3;
        for (std::size_t at = 0; at < left.size(); at += page) {
            const auto& version = bias == 0 || random() % 4 == 0 ? any()
                                  : bias == 1                    ? versions_.front()
                                                                 : versions_.back();
            if (at >= version.size()) continue;  // zeros
            const std::size_t n = std::min({page, version.size() - at, left.size() - at});
            std::memcpy(left.data() + at, version.data() + at, n);
        }
        return left;
    }

  private:
    fs::path path_;
    std::vector<std::vector<std::byte>> versions_;
};

// A chain, and the store that its rows go to.
struct Delivered {
    std::shared_ptr<JournalChain> chain;
    int number = 0;
    std::uint64_t stored = 0;
    std::uint32_t sum = 0;

    void store(std::uint64_t rows) {
        if (rows <= stored) return;
        stored = rows;
        sum = chain->sum_of(rows - 1);
    }
};

}  // namespace

TEST_CASE("no synced row is lost or wrong after a loss of power") {
    std::mt19937 random(5);
    const Folder folder;
    const auto left = folder / "left";
    std::uint64_t losses = 0;
    std::uint64_t unsynced = 0;  // rows that were there after a loss all the same
    std::uint64_t rows = 0;
    std::uint64_t segments = 0;
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const bool ragged : {false, true}) {
            const std::string name = std::to_string(int(where)) + std::to_string(int(ragged));
            Journal journal(folder / name, {16384, where, 0});
            Disk disk(folder / name);
            int next = 0;
            std::vector<Delivered> chains;
            for (int i = 0; i < 2; ++i)
                chains.push_back({begin(journal, ragged, next), next}), ++next;
            for (int step = 0; step < 1200; ++step) {
                Delivered& one = chains[random() % chains.size()];
                switch (random() % 10) {
                    case 0:
                        journal.sync();
                        disk.sync();
                        break;
                    case 1:
                        one.store(one.chain->synced());
                        break;
                    case 2:
                        one.chain->release(one.stored);
                        break;
                    case 3:
                        if (random() % 10 == 0) {
                            rows += one.chain->size();
                            one.chain->discard();
                            one = {begin(journal, ragged, next), next};
                            ++next;
                        }
                        break;
                    case 4:
                        append_to(*one.chain, 1 + random() % 60);
                        break;
                    case 5:
                        disk.look();
                        break;
                    default:
                        append_to(*one.chain, 1);
                }
                if (random() % 4 != 0) continue;
                write_contents(left, disk.after_loss(random));
                ++losses;
                const JournalScan scan(left);
                for (const Delivered& it : chains) {
                    const Tail tail = tail_behind(scan, ragged, it.number, it.stored, it.sum);
                    CHECK(tail.right);
                    CHECK(tail.stop >= it.chain->synced());
                    CHECK(tail.stop <= it.chain->size());
                    unsynced += tail.stop - std::max(it.chain->synced(), it.stored);
                }
            }
            for (const Delivered& it : chains) rows += it.chain->size();
            segments += journal.bytes() / 16384;
        }
    }
    CHECK(losses > 1000);
    CHECK(unsynced > 100);
    CHECK(rows * 150 > 3 * segments * 16384);  // each segment was used again and again
}
