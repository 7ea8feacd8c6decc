#include "file/fork.hpp"

namespace drawstore::file {

std::atomic<unsigned> forks_before{0};

}  // namespace drawstore::file

#ifndef _WIN32

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace drawstore::file {
namespace {

// Never destroyed: a process may fork while it ends.
struct Handles {
    std::mutex mutex;
    std::vector<int> list;
};

Handles& handles() {
    static auto* const all = [] {
        auto* const made = new Handles;
        pthread_atfork([] { handles().mutex.lock(); }, [] { handles().mutex.unlock(); },
                       [] {
                           for (const int handle : handles().list) ::close(handle);
                           handles().list.clear();
                           forks_before.fetch_add(1, std::memory_order_relaxed);
                           handles().mutex.unlock();
                       });
        return made;
    }();
    return *all;
}

}  // namespace

void watch_forks() { handles(); }

void close_in_children(int handle) {
    const std::lock_guard lock(handles().mutex);
    handles().list.push_back(handle);
}

void forget_in_children(int handle) noexcept {
    const std::lock_guard lock(handles().mutex);
    std::erase(handles().list, handle);
}

}  // namespace drawstore::file

#else

namespace drawstore::file {

void watch_forks() {}
void close_in_children(int) {}
void forget_in_children(int) noexcept {}

}  // namespace drawstore::file

#endif
