// What a forked child must not have of its parent's: the right to write, and locks.
#pragma once

#include <atomic>

namespace drawstore::file {

extern std::atomic<unsigned> forks_before;

// A number that differs between a process and its forked children, once forks are watched.
void watch_forks();
inline unsigned fork_generation() noexcept { return forks_before.load(std::memory_order_relaxed); }

// Has forked children close the handle of a file, so that a lock on it ends with this process.
// Watches forks.
void close_in_children(int handle);
void forget_in_children(int handle) noexcept;

}  // namespace drawstore::file
