// What this process does to be seen alive by those who find its lock files, and what it knows of
// others.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "file/mark.hpp"
#include "file/syncer.hpp"
#include "file/watch.hpp"

namespace drawstore::file {

class LockFile;

// Renews the lock files that this process holds, all with the same beat, in the syncing thread. A
// forked child has a heartbeat of its own, with no lock files: it neither renews nor removes those
// of its parent.
//
// Any thread may call any method.
class Heartbeat {
  public:
    // Of this process, as it is now.
    static Heartbeat& get();

    // From the next lock on that is the only one of this process; for tests. Else 5 seconds.
    static void set_interval(double seconds);

    bool is_of_this_process() const noexcept;

    // What is known of the holder of a mark that was read just now.
    Watch::Verdict judge(Mark mark);

    Mark make_mark() const;
    void add(LockFile& lock);
    void remove(LockFile& lock) noexcept;

    // Renews one of them now.
    void renew(LockFile& lock);

  private:
    explicit Heartbeat(Heartbeat* of_parent);
    void beat();

    Heartbeat* const of_parent_;  // which nothing destroys
    const unsigned fork_generation_;
    const std::uint64_t program_;
    Watch watch_;
    std::atomic<std::uint64_t> beat_{1};

    std::mutex mutex_;  // guards what follows, and is held while marks are written
    std::vector<LockFile*> held_;
    std::unique_ptr<BackgroundSync> rounds_;  // while there are any
};

}  // namespace drawstore::file
