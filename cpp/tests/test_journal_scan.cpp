// Scans of a journal that go on from earlier ones.
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "drawstore/error.hpp"
#include "journals.hpp"

using drawstore::Journal;
using drawstore::JournalScan;
using drawstore::TailStore;
using namespace journals;

namespace {

constexpr std::size_t small = 8192;  // a segment

void check_alike(const JournalScan& scan, const JournalScan& whole) {
    CHECK(scan.damage() == whole.damage());
    CHECK(scan.id() == whole.id());
    REQUIRE(scan.pieces().size() == whole.pieces().size());
    for (std::size_t i = 0; i < whole.pieces().size(); ++i) {
        const auto& piece = scan.pieces()[i];
        const auto& other = whole.pieces()[i];
        CHECK(piece.id() == other.id());
        CHECK(piece.label() == other.label());
        CHECK(piece.first() == other.first());
        CHECK(piece.stop() == other.stop());
        CHECK(piece.previous_sum() == other.previous_sum());
        CHECK(piece.damage() == other.damage());
    }
}

}  // namespace

TEST_CASE("a scan that goes on from an earlier one finds what a whole one does") {
    for (const std::size_t segment : {small, std::size_t{0}}) {
        std::mt19937 random(3);
        const Folder folder;
        const auto path = folder / "journal";
        Journal journal(path, {segment, segment == 0 ? TailStore::Auto : TailStore::Written, 0});
        const auto chain = begin(journal, true);
        const auto other = begin(journal, false, 1, 70, 5);
        std::shared_ptr<const drawstore::journal::Known> known;
        for (int round = 0; round < 300; ++round) {
            append_to(*chain, random() % 40);
            append_to(*other, random() % 2 == 0 ? random() % 900 : 0);
            if (random() % 4 == 0) chain->release(chain->size() - random() % 5);
            if (random() % 9 == 0) other->release(other->size() - random() % 5);
            if (random() % 3 == 0) continue;
            const JournalScan scan(path, known);
            check_alike(scan, JournalScan(path));
            known = scan.known();
            for (const auto& each : {chain, other}) {
                const std::uint64_t stored = each->released();
                const bool ragged = each == chain;
                const Tail tail = tail_behind(scan, ragged, ragged ? 0 : 1, stored,
                                              stored == 0 ? 0 : each->sum_of(stored - 1));
                CHECK(tail.right);
                CHECK(tail.stop == each->size());
            }
        }
    }
}

TEST_CASE("rows of a scan are found wherever they are, and so are their sums") {
    const Folder folder;
    const auto path = folder / "journal";
    Journal journal(path, {0, TailStore::Auto, 0});
    const auto chain = begin(journal, true);
    append_to(*chain, 20'000);  // some segments, longer than what is between two marks
    const JournalScan scan(path);
    REQUIRE(scan.pieces().size() == 1);
    const auto& piece = scan.pieces().front();
    CHECK(piece.stop() == 20'000);
    std::mt19937 random(5);
    for (int i = 0; i < 300; ++i) {
        const std::uint64_t start = random() % 20'000;
        const std::uint64_t stop = start + random() % std::min(std::uint64_t{700}, 20'001 - start);
        const auto rows = scan.load(id_of(0), meta_of(true), 0, start, stop);
        CHECK(rows->size() == stop - start);
        CHECK(are_those_from(start, *rows));
        CHECK(piece.sum_before(start + 1) == chain->sum_of(start));
    }
}

TEST_CASE("what is known is not read again by a scan, but is checked where it is loaded") {
    const Folder folder;
    const auto path = folder / "journal";
    Journal journal(path, {small, TailStore::Auto, 0});
    const auto chain = begin(journal, false);
    append_to(*chain, 10);
    const JournalScan before(path);
    auto bytes = contents(path);
    constexpr std::size_t records = 2 * 4096 + 64;  // behind two heads and the word
    REQUIRE(bytes.size() > records + 300);
    bytes[records + 200] ^= std::byte{1};
    write_contents(path, bytes);

    CHECK(JournalScan(path).pieces().front().stop() < 10);
    const JournalScan scan(path, before.known());
    REQUIRE(scan.pieces().size() == 1);
    CHECK(scan.pieces().front().stop() == 10);
    CHECK_THROWS_AS(scan.load(id_of(0), meta_of(false), 0, 0, 10), drawstore::StateError);
}

TEST_CASE("what is known of another journal does no harm") {
    const Folder folder;
    Journal one(folder / "one", {small, TailStore::Auto, 0});
    Journal other(folder / "other", {small, TailStore::Auto, 0});
    const auto chain = begin(one, true);  // whose rows end elsewhere
    const auto longer = begin(other, false);
    append_to(*chain, 3);
    append_to(*longer, 9);
    const JournalScan scan(folder / "other", JournalScan(folder / "one").known());
    check_alike(scan, JournalScan(folder / "other"));
    write_contents(folder / "foreign", std::vector<std::byte>(9000, std::byte{'x'}));
    const JournalScan foreign(folder / "foreign", scan.known());
    CHECK(foreign.damage() != "");
    CHECK(foreign.pieces().empty());
    check_alike(JournalScan(folder / "other", foreign.known()), scan);
}
