// Makes what was written durable, in the background and every so often.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>

namespace drawstore::file {

// What one file needs of the process's syncing thread. The thread lives while something is dirty;
// around a fork there is none.
//
// Any thread may call any method. `sync` is called by the syncing thread, never twice at once; it
// must not take a lock with which stop() is called.
class BackgroundSync {
  public:
    // `interval` in seconds from the first change to the sync; 0 or less: never by itself.
    BackgroundSync(std::function<void()> sync, double interval);
    ~BackgroundSync() { stop(); }
    BackgroundSync(const BackgroundSync&) = delete;
    BackgroundSync& operator=(const BackgroundSync&) = delete;

    // After each change: `sync` is called within the interval. Costs one atomic exchange.
    void mark_dirty() noexcept {
        if (!dirty_.exchange(true, std::memory_order_acq_rel)) enqueue();
    }

    // Waits for a sync that is under way; none comes after that.
    void stop() noexcept;

    // Throws what the last sync threw, once.
    void check() {
        if (failed_.load(std::memory_order_acquire)) rethrow();
    }

  private:
    friend class Syncer;
    using Clock = std::chrono::steady_clock;

    void enqueue() noexcept;
    void rethrow();

    const std::function<void()> sync_;
    const Clock::duration interval_;
    std::atomic<bool> dirty_;  // always true where nothing is synced by itself
    std::atomic<bool> failed_{false};

    // Guarded by the syncer's mutex.
    std::exception_ptr error_;
    Clock::time_point due_{};
    bool stopped_ = false;
};

// Goes on with what was dirty before a fork. The next change does that, too: this is for those who
// fork and then change nothing for a while. Call it when the fork is over.
void resume_syncing() noexcept;

}  // namespace drawstore::file
