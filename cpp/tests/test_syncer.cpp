#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "file/syncer.hpp"

using drawstore::file::BackgroundSync;
using drawstore::file::resume_syncing;

namespace {

constexpr double soon = 0.001;

template <typename Condition>
void wait_for(Condition&& condition) {
    while (!condition()) std::this_thread::yield();
}

int count_threads() {
    std::thread([] {}).join();  // sanitizers begin a thread of their own with the first one
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("Threads:")) return std::stoi(line.substr(8));
    }
    return 0;
}

}  // namespace

TEST_CASE("what is dirty is synced, and what is not is left alone") {
    const int before = count_threads();
    std::atomic<int> first{0};
    std::atomic<int> second{0};
    BackgroundSync one([&] { ++first; }, soon);
    BackgroundSync two([&] { ++second; }, soon);
    for (int i = 1; i <= 20; ++i) {
        one.mark_dirty();
        wait_for([&] { return first == i; });
    }
    CHECK(second == 0);
    two.mark_dirty();
    wait_for([&] { return second == 1; });
    CHECK(first == 20);
    wait_for([&] { return count_threads() == before; });  // it ends where nothing is dirty
}

TEST_CASE("a change while a sync goes on is synced after it") {
    std::atomic<int> value{0};
    std::atomic<int> synced{0};
    BackgroundSync file([&] { synced = value.load(); }, 1e-6);
    for (int i = 1; i <= 20'000; ++i) {
        value = i;
        file.mark_dirty();
    }
    wait_for([&] { return synced == 20'000; });
}

TEST_CASE("nothing is synced by itself without an interval, nor after stop") {
    std::atomic<int> count{0};
    const auto sync = [&] { ++count; };
    BackgroundSync never(sync, 0);
    never.mark_dirty();
    {
        BackgroundSync dropped(sync, 1000);
        dropped.mark_dirty();
    }
    BackgroundSync stopped(sync, soon);
    stopped.stop();
    stopped.mark_dirty();
    std::atomic<bool> other_done{false};
    BackgroundSync other([&] { other_done = true; }, soon);
    other.mark_dirty();
    wait_for([&] { return other_done.load(); });
    CHECK(count == 0);
}

TEST_CASE("stop waits for a sync that is under way") {
    std::atomic<bool> begun{false};
    std::atomic<bool> ended{false};
    BackgroundSync file(
        [&] {
            begun = true;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            ended = true;
        },
        soon);
    file.mark_dirty();
    wait_for([&] { return begun.load(); });
    file.stop();
    CHECK(ended);
}

TEST_CASE("an error of a sync is told once, and syncing goes on") {
    std::atomic<int> count{0};
    BackgroundSync file(
        [&] {
            if (++count == 1) throw std::runtime_error("the disk failed");
        },
        soon);
    file.check();
    file.mark_dirty();
    bool told = false;
    wait_for([&] {
        try {
            file.check();
        } catch (const std::runtime_error& error) {
            told = std::string(error.what()) == "the disk failed";
        }
        return told;
    });
    file.check();
    file.mark_dirty();
    wait_for([&] { return count == 2; });
    file.check();
}

TEST_CASE("around a fork there is no syncing thread; the parent goes on, the child does not") {
    for (const bool by_itself : {true, false}) {
        const int before = count_threads();
        std::atomic<int> count{0};
        BackgroundSync file([&] { ++count; }, 0.02);
        file.mark_dirty();
        const pid_t child = fork();
        if (child == 0) {
            resume_syncing();
            std::atomic<int> own{0};
            {
                BackgroundSync of_child([&] { ++own; }, 0.03);
                of_child.mark_dirty();
                wait_for([&] { return own == 1; });
            }
            _exit(count == 0 ? 0 : 1);
        }
        CHECK(count_threads() == before);
        int status = 0;
        waitpid(child, &status, 0);
        CHECK(status == 0);
        CHECK(count == 0);
        if (by_itself) {
            resume_syncing();
        } else {
            file.mark_dirty();
        }
        wait_for([&] { return count == 1; });
    }
}

TEST_CASE("many threads mark, stop and fork at the same time") {
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            while (!done) {
                std::atomic<int> count{0};
                BackgroundSync file([&] { ++count; }, 1e-5);
                for (int i = 0; i < 20; ++i) file.mark_dirty();
            }
        });
    }
    for (int i = 0; i < 50; ++i) {
        const pid_t child = fork();
        if (child == 0) _exit(0);
        int status = 0;
        waitpid(child, &status, 0);
        CHECK(status == 0);
    }
    done = true;
    for (auto& thread : threads) thread.join();
}

TEST_CASE("the syncing thread takes no signals") {
    std::atomic<bool> all_blocked{false};
    std::atomic<bool> ran{false};
    BackgroundSync file(
        [&] {
            sigset_t blocked;
            pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
            all_blocked = sigismember(&blocked, SIGINT) == 1 && sigismember(&blocked, SIGTERM) == 1;
            ran = true;
        },
        soon);
    file.mark_dirty();
    wait_for([&] { return ran.load(); });
    CHECK(all_blocked);
}
