// Locks that are files: of this process, of others here, and of processes of other machines.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "drawstore/error.hpp"
#include "drawstore/write_lock.hpp"
#include "faults.hpp"
#include "file/file.hpp"
#include "file/lock_file.hpp"
#include "file/process.hpp"
#include "file_stores.hpp"

using drawstore::StateError;
using drawstore::file::encode;
using drawstore::file::File;
using drawstore::file::Heartbeat;
using drawstore::file::LockFile;
using drawstore::file::Mark;
using drawstore::file::read_mark;
using drawstore::file::Watch;
using file_stores::Folder;

namespace fs = std::filesystem;

namespace {

constexpr double interval = 0.02;                        // seconds between beats
constexpr auto enough = std::chrono::milliseconds(600);  // to be taken for dead

// Beats that are fast, as long as the object lives.
struct FastHeart {
    FastHeart() { drawstore::set_heartbeat(interval); }
    ~FastHeart() { drawstore::set_heartbeat(5); }
};

// As a process of another machine leaves its mark.
Mark mark_of_elsewhere() {
    return {.token = drawstore::file::random_number(),
            .program = drawstore::file::random_number(),
            .process_id = 12,
            .started = 34,
            .beat = 56,
            .interval = 20,
            .host = "elsewhere",
            .place = "there"};
}

void write_mark(const fs::path& locked, const Mark& mark) {
    const fs::path path = LockFile::path_for(locked);
    File file = fs::exists(path) ? File::open_to_write(path) : File::create(path);
    file.write(0, encode(mark));
}

std::unique_ptr<LockFile> take(const fs::path& locked) {
    drawstore::watch_holder(locked);
    return LockFile::try_take(locked);
}

// Runs in a child, which exits with 0 where it gives true.
template <typename Work>
pid_t in_child(Work&& work) {
    const pid_t child = fork();
    if (child != 0) return child;
    try {
        _exit(work() ? 0 : 1);
    } catch (...) {
        _exit(2);
    }
}

int wait_for(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

}  // namespace

TEST_CASE("a lock file is held by one, and is gone when he lets go") {
    const Folder folder;
    const fs::path path = folder / "file";
    auto first = LockFile::try_take(path);
    REQUIRE(first);
    first->check();
    CHECK(!LockFile::try_take(path));
    CHECK(LockFile::find_holder(path)->process_id == static_cast<std::uint64_t>(getpid()));
    CHECK(drawstore::lock_file_holder(path).starts_with("process " + std::to_string(getpid())));
    CHECK(wait_for(in_child([&] { return !take(path); })) == 0);
    first.reset();
    CHECK(fs::is_empty(folder.path()));
    CHECK(drawstore::lock_file_holder(path).empty());
    CHECK(LockFile::try_take(path));
}

TEST_CASE("the lock file of a killed process is taken over at once, also while it is a zombie") {
    const Folder folder;
    const fs::path path = folder / "file";
    const pid_t child = in_child([&] {
        const auto held = LockFile::try_take(path);
        for (;;) pause();
        return held != nullptr;
    });
    while (drawstore::lock_file_holder(path).empty()) std::this_thread::yield();
    CHECK(!LockFile::try_take(path));
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
    auto lock = LockFile::try_take(path);
    CHECK(lock);
    lock.reset();
    wait_for(child);
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("another process of the same id is not the holder, nor what this one was before exec") {
    const Folder folder;
    const fs::path path = folder / "file";
    Mark mark = drawstore::file::make_mark(1, 5000);
    mark.process_id = static_cast<std::uint64_t>(getppid());
    mark.started = drawstore::file::start_time(mark.process_id).value();
    write_mark(path, mark);
    CHECK(!LockFile::try_take(path));
    ++mark.started;
    write_mark(path, mark);
    CHECK(LockFile::try_take(path));
    write_mark(path, drawstore::file::make_mark(1, 5000));
    CHECK(LockFile::try_take(path));
}

TEST_CASE("a child does not have its parent's lock, and does not end it") {
    const FastHeart fast;
    const Folder folder;
    const fs::path path = folder / "file";
    auto lock = LockFile::try_take(path);
    const std::uint64_t token = read_mark(LockFile::path_for(path))->token;
    const int status = wait_for(in_child([&] {
        const bool is_refused = !LockFile::try_take(path);
        lock.reset();
        auto own = LockFile::try_take(folder / "other");
        return is_refused && own && !LockFile::try_take(path);
    }));
    CHECK(status == 0);
    CHECK(read_mark(LockFile::path_for(path))->token == token);
    lock->check();
    const std::uint64_t beat = read_mark(LockFile::path_for(path))->beat;
    drawstore::file::resume_syncing();
    while (read_mark(LockFile::path_for(path))->beat == beat) std::this_thread::yield();
}

TEST_CASE("one of another machine is refused while it beats, and taken over when it does not") {
    const Folder folder;
    const fs::path path = folder / "file";
    Mark mark = mark_of_elsewhere();
    write_mark(path, mark);
    std::atomic<bool> ended{false};
    std::jthread beating([&] {
        while (!ended) {
            ++mark.beat;
            write_mark(path, mark);
            std::this_thread::sleep_for(std::chrono::duration<double>(interval));
        }
    });
    for (int i = 0; i < 3; ++i) CHECK(!take(path));
    std::this_thread::sleep_for(enough);
    CHECK(!take(path));
    CHECK(drawstore::lock_file_holder(path) == "process 12 on host 'elsewhere'");
    ended = true;
    beating.join();
    const auto begin = std::chrono::steady_clock::now();
    auto lock = take(path);
    while (!lock) lock = take(path);  // it was seen alive just now
    const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
    CHECK(waited.count() >= Watch::beats_until_dead * interval - interval);
    // What else it held is free at once.
    mark.token = drawstore::file::random_number();
    write_mark(folder / "other", mark);
    CHECK(LockFile::try_take(folder / "other"));
}

TEST_CASE("a mark that is not whole is somebody's, until it has not changed for long") {
    const FastHeart fast;
    const Folder folder;
    const fs::path path = folder / "file";
    File::create(LockFile::path_for(path));
    CHECK(!LockFile::try_take(path));
    CHECK(drawstore::lock_file_holder(path) == "a process that its lock file does not name");
    CHECK(take(path));
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("time in which nobody looked does not make a holder dead") {
    Watch watch;
    Mark mark = mark_of_elsewhere();
    CHECK(watch.look(mark) == Watch::Verdict::Unknown);
    std::this_thread::sleep_for(enough);
    CHECK(watch.look(mark) == Watch::Verdict::Unknown);
    ++mark.beat;
    CHECK(watch.look(mark) == Watch::Verdict::Alive);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(watch.look(mark) == Watch::Verdict::Unknown);
    for (int i = 0; i < Watch::beats_until_dead; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(21));
        watch.look(mark);
    }
    CHECK(watch.look(mark) == Watch::Verdict::Dead);
}

TEST_CASE(
    "who was stopped and taken over meanwhile is told before he writes, and removes nothing") {
    const FastHeart fast;
    const Folder folder;
    const fs::path path = folder / "file";
    const faults::Shared<std::atomic<int>> step;
    const pid_t child = in_child([&] {
        const auto held = LockFile::try_take(path);
        held->check();
        step->store(1);
        while (step->load() == 1) {
        }
        try {
            held->check();
        } catch (const StateError& error) {
            return std::string(error.what()).find("process 12 on host 'elsewhere'") !=
                   std::string::npos;
        }
        return false;
    });
    while (step->load() != 1) std::this_thread::yield();
    kill(child, SIGSTOP);
    std::this_thread::sleep_for(enough);
    fs::remove(LockFile::path_for(path));  // as one of another machine does
    const Mark other = mark_of_elsewhere();
    write_mark(path, other);
    step->store(2);
    kill(child, SIGCONT);
    CHECK(wait_for(child) == 0);
    CHECK(read_mark(LockFile::path_for(path))->token == other.token);
}

TEST_CASE("a lock file that somebody removed is lost") {
    const FastHeart fast;
    const Folder folder;
    const auto lock = LockFile::try_take(folder / "file");
    fs::remove(LockFile::path_for(folder / "file"));
    while (!lock->is_lost()) std::this_thread::yield();
    CHECK_THROWS_AS(lock->check(), StateError);
}

TEST_CASE("many processes take a lock by turns, and none has it with another") {
    const Folder folder;
    const fs::path path = folder / "file";
    const faults::Shared<std::atomic<int>> inside;
    std::vector<pid_t> children;
    for (int c = 0; c < 6; ++c) {
        children.push_back(in_child([&] {
            for (int taken = 0; taken < 40;) {
                const auto lock = LockFile::try_take(path);
                if (!lock) continue;
                if (inside->fetch_add(1) != 0) return false;
                if (++taken % 8 == 0) std::this_thread::yield();
                inside->fetch_sub(1);
            }
            return true;
        }));
    }
    for (const pid_t child : children) CHECK(wait_for(child) == 0);
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("many who find a dead mark: one has its place; and who dies at it is no obstacle") {
    const FastHeart fast;  // it may leave a mark that is not whole
    const Folder folder;
    const fs::path path = folder / "file";
    for (int round = 0; round < 20; ++round) {
        // The dead one, and one that dies at a counted change while it takes its place.
        wait_for(in_child([&] {
            static auto held = LockFile::try_take(path);
            _exit(0);
            return true;
        }));
        wait_for(in_child([&] {
            faults::changes_left = round % 10;
            drawstore::file::before_change = faults::die_after_some_changes;
            static auto held = LockFile::try_take(path);
            _exit(0);
            return true;
        }));
        const faults::Shared<std::atomic<int>> count;
        const faults::Shared<std::atomic<int>> ended;
        std::vector<pid_t> children;
        for (int c = 0; c < 4; ++c) {
            children.push_back(in_child([&] {
                std::unique_ptr<LockFile> lock;
                while (!lock && count->load() == 0) lock = LockFile::try_take(path);
                if (lock) count->fetch_add(1);
                ended->fetch_add(1);
                while (ended->load() < 4) std::this_thread::yield();
                return true;
            }));
        }
        for (const pid_t child : children) CHECK(wait_for(child) == 0);
        CHECK(count->load() == 1);
    }
    CHECK(LockFile::try_take(path));
    CHECK(fs::is_empty(folder.path()));
}
