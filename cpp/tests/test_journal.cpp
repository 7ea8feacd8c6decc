// Journals: threads, deaths, failures, damage.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <random>
#include <thread>
#include <vector>

#include "drawstore/error.hpp"
#include "faults.hpp"
#include "file/file.hpp"
#include "journals.hpp"

using drawstore::Journal;
using drawstore::JournalScan;
using drawstore::TailStore;
using faults::changes_left;
using faults::fail_after_some_changes;
using faults::Shared;
using namespace journals;

namespace {

constexpr std::size_t small = 8192;  // a segment
// What a child tells of itself, in memory that it shares with us.
struct Told {
    std::atomic<std::uint64_t> begun{0};     // rows, with those of an append that had begun
    std::atomic<std::uint64_t> appended{0};  // rows whose append returned
    std::atomic<std::uint64_t> stored{0};    // that a store has
    std::atomic<std::uint32_t> sum{0};       // of the last of them
};

void write_some(const fs::path& path, TailStore where, bool ragged, const Shared<Told>& told,
                int steps) {
    Journal journal(path, {small, where, 0});
    const auto chain = begin(journal, ragged);
    for (int i = 0; i != steps; ++i) {
        const std::uint64_t n = i % 7 == 3 ? 100 : 1;
        told->begun = chain->size() + n;
        append_to(*chain, n);
        told->appended = chain->size();
        if (i % 5 != 4) continue;
        journal.sync();
        const std::uint32_t sum = chain->sum_of(chain->synced() - 1);
        told->sum = sum;
        told->stored = chain->synced();
        chain->release(chain->synced());
    }
}

void check_survivor(const fs::path& path, bool ragged, const Shared<Told>& told) {
    if (!fs::exists(path)) {
        CHECK(told->begun == 0);
        return;
    }
    const JournalScan scan(path);
    if (scan.id() == drawstore::JournalId{}) {  // it was being made
        CHECK(told->begun == 0);
        return;
    }
    CHECK(scan.damage() == "");
    for (const auto& piece : scan.pieces()) CHECK(piece.damage() == "");
    const Tail tail = tail_behind(scan, ragged, 0, told->stored, told->sum);
    CHECK(tail.right);
    CHECK(tail.stop >= told->appended);
    CHECK(tail.stop <= told->begun);
}

}  // namespace

TEST_CASE("a process may die before any change of its journal") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const bool ragged : {false, true}) {
            faults::die_before_changes<Told>(
                30, 11,
                [&](const fs::path& path, const Shared<Told>& told) {
                    write_some(path, where, ragged, told, 40);
                },
                [&](const fs::path& path, const Shared<Told>& told) {
                    check_survivor(path, ragged, told);
                });
        }
    }
}

TEST_CASE("rows in a journal survive the death of the process at any instant") {
    std::mt19937 random(1);
    for (int round = 0; round < 30; ++round) {
        const Folder folder;
        const Shared<Told> told;
        const bool ragged = round % 2 == 1;
        const auto where = round % 3 == 0 ? TailStore::Written : TailStore::Mapped;
        const pid_t child = fork();
        if (child == 0) {
            write_some(folder / "journal", where, ragged, told, -1);
        }
        while (told->appended == 0) {
        }
        usleep(static_cast<useconds_t>(random() % 5000));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        // The store is told of before the sum is: a child may have died between the two.
        const JournalScan scan(folder / "journal");
        std::uint64_t stop = 0;
        for (const auto& piece : scan.pieces()) {
            CHECK(piece.damage() == "");
            CHECK(piece.first() <= told->stored);
            const auto rows =
                scan.load(piece.id(), meta_of(ragged), 0, piece.first(), piece.stop());
            CHECK(are_those_from(piece.first(), *rows));
            stop = piece.stop();
        }
        CHECK(scan.damage() == "");
        CHECK(stop >= told->appended);
        CHECK(stop <= told->begun);
    }
}

TEST_CASE("any change of a journal may fail, and no row is lost or there twice") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const bool ragged : {false, true}) {
            for (int k = 0; k < 150; k += k < 60 ? 1 : 5) {
                const Folder folder;
                const auto path = folder / "journal";
                Journal journal(path, {small, where, 0});
                const auto chain = begin(journal, ragged);
                changes_left = k;
                drawstore::file::before_change = fail_after_some_changes;
                for (int i = 0; i < 60; ++i) {
                    const std::uint64_t before = chain->size();
                    try {
                        append_to(*chain, i % 7 == 3 ? 100 : 1);
                        if (i % 5 == 4) chain->release(before);
                    } catch (const drawstore::SystemError&) {
                        CHECK(chain->size() == before);
                    }
                    CHECK(are_right(chain->rows(), chain->released(), chain->size()));
                }
                drawstore::file::before_change = nullptr;
                append_to(*chain, 1);
                const JournalScan scan(path);
                const std::uint64_t released = chain->released();
                const Tail tail =
                    tail_behind(scan, ragged, 0, released, chain->sum_of(released - 1));
                CHECK(tail.right);
                CHECK(tail.stop == chain->size());
            }
        }
    }
}

TEST_CASE("a full disk is an error, and rows go into the journal again when there is room") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const std::uint64_t at_once : {1, 300}) {
            const Folder folder;
            const auto path = folder / "journal";
            Journal journal(path, {0, where, 0});
            const auto chain = begin(journal, false);
            append_to(*chain, 3);
            const auto old_handler = signal(SIGXFSZ, SIG_IGN);
            rlimit old{};
            getrlimit(RLIMIT_FSIZE, &old);
            const rlimit limit{300'000, old.rlim_max};
            REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
            bool refused = false;
            while (!refused) {
                try {
                    append_to(*chain, at_once);
                } catch (const drawstore::SystemError& error) {
                    CHECK(error.code() == EFBIG);
                    CHECK(error.path() == path.string());
                    refused = true;
                }
            }
            const std::uint64_t n = chain->size();
            CHECK(n * 150 > 230'000);  // it took what there was
            CHECK_THROWS_AS(append_to(*chain, 5000), drawstore::SystemError);
            CHECK(chain->size() == n);
            CHECK(are_right(chain->rows()));
            const Tail tail = tail_behind(JournalScan(path), false, 0, 0, 0);
            CHECK(tail.right);
            CHECK(tail.stop == n);
            // Rows that are released make room, too.
            chain->release(n - 1);
            for (int i = 0; i < 3; ++i) append_to(*chain, at_once);
            setrlimit(RLIMIT_FSIZE, &old);
            signal(SIGXFSZ, old_handler);
            append_to(*chain, 5000);
            CHECK(chain->size() == n + 3 * at_once + 5000);
            CHECK(are_right(chain->rows(), chain->released(), chain->size()));
            CHECK(tail_behind(JournalScan(path), false, 0, n - 1, chain->sum_of(n - 2)).stop ==
                  chain->size());
        }
    }
}

TEST_CASE("one thread appends, others read, sync, release and scan") {
    for (const auto where : {TailStore::Mapped, TailStore::Written}) {
        for (const bool ragged : {false, true}) {
            const Folder folder;
            const auto path = folder / "journal";
            Journal journal(path, {small, where, 0.001});
            const auto chain = begin(journal, ragged);
            const auto busy = begin(journal, !ragged, 1);  // takes its segments from the same ones
            std::atomic<bool> done{false};
            std::atomic<int> wrong{0};
            std::atomic<int> reads{0};
            std::atomic<std::uint64_t> stored{0};
            std::vector<std::thread> threads;
            for (int i = 0; i < 3; ++i) {
                threads.emplace_back([&, i] {
                    std::mt19937 random(static_cast<unsigned>(i));
                    while (!done || reads < 20) {
                        const std::uint64_t stop = chain->size();
                        const std::uint64_t start = std::max(chain->released(), stop - stop / 4);
                        try {
                            wrong += !are_right(chain->rows(), start, stop, 1 + random() % 3);
                            ++reads;
                        } catch (const drawstore::StateError&) {
                            wrong += chain->released() <= start;
                        }
                    }
                });
            }
            threads.emplace_back([&] {
                while (!done) {
                    journal.sync();
                    const std::uint64_t rows = chain->synced();
                    stored = rows;
                    chain->release(rows);
                    busy->release(busy->size());
                    wrong += chain->waiting_bytes() > journal.bytes();
                }
            });
            threads.emplace_back([&] {
                std::shared_ptr<const drawstore::journal::Known> known;
                while (!done) {
                    const JournalScan scan(path, known);
                    known = scan.known();
                    wrong += !scan.damage().empty();
                    for (const auto& piece : scan.pieces()) {
                        wrong += !piece.damage().empty();
                        if (piece.id() != id_of(0)) continue;
                        try {
                            const auto rows = scan.load(piece.id(), meta_of(ragged), 0,
                                                        piece.first(), piece.stop());
                            wrong += !are_those_from(piece.first(), *rows);
                        } catch (const drawstore::StateError&) {
                            wrong += piece.first() >= stored;  // rows go only where they are stored
                        }
                    }
                }
            });
            for (int i = 0; i < 1500; ++i) {
                append_to(*chain, i % 50 == 0 ? 100 : 1);
                append_to(*busy, 1);
            }
            done = true;
            for (std::thread& thread : threads) thread.join();
            CHECK(wrong == 0);
            CHECK(are_right(chain->rows(), chain->released(), chain->size()));
        }
    }
}

TEST_CASE("a second thread that appends gets an error") {
    Journal journal({});
    const auto chain = begin(journal, false);
    chain->rows().begin();
    CHECK_THROWS_AS(append_to(*begin(journal, false, 0), 1), drawstore::StateError);
    CHECK_THROWS_AS(chain->rows().begin(), drawstore::StateError);
    CHECK_THROWS_AS(chain->discard(), drawstore::StateError);
    CHECK_THROWS_AS(chain->close(), drawstore::StateError);
    chain->rows().abandon();
    append_to(*chain, 1);
}

TEST_CASE("a journal syncs by itself") {
    const Folder folder;
    Journal journal(folder / "journal", {small, TailStore::Auto, 0.001});
    const auto chain = begin(journal, false);
    for (int i = 0; i < 3; ++i) {
        append_to(*chain, 10);
        while (chain->synced() < chain->size()) std::this_thread::yield();
    }
}
