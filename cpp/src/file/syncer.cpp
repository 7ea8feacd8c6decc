#include "file/syncer.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#ifndef _WIN32
#include <pthread.h>
#include <signal.h>
#endif

namespace drawstore::file {

class Syncer {
  public:
    static Syncer& get() {
        static auto* const only = new Syncer;  // never destroyed: files may outlive static objects
        return *only;
    }

    void add(BackgroundSync& file) noexcept {
        const std::lock_guard lock(mutex_);
        if (file.stopped_) return;
        if (std::ranges::find(queue_, &file) == queue_.end()) {  // it may wait since before a fork
            file.due_ = BackgroundSync::Clock::now() + file.interval_;
            queue_.push_back(&file);
        }
        wake();
    }

    void remove(BackgroundSync& file) noexcept {
        std::unique_lock lock(mutex_);
        file.stopped_ = true;
        std::erase(queue_, &file);
        done_.wait(lock, [&] { return syncing_ != &file; });
        const auto is_idle = [this] { return queue_.empty() && !syncing_; };
        if (!is_idle()) return;
        work_.notify_one();  // it ends
        done_.wait(lock, [&] { return !running_ || !is_idle(); });
        if (!running_ && !forking_ && thread_.joinable()) thread_.join();
    }

    std::exception_ptr take_error(BackgroundSync& file) noexcept {
        const std::lock_guard lock(mutex_);
        file.failed_.store(false, std::memory_order_relaxed);
        return std::exchange(file.error_, nullptr);
    }

    void resume() noexcept {
        const std::lock_guard lock(mutex_);
        if (!queue_.empty()) wake();
    }

  private:
    Syncer() {
#ifndef _WIN32
        pthread_atfork([] { get().before_fork(); }, [] { get().after_fork(false); },
                       [] { get().after_fork(true); });
#endif
    }

    // With the lock. Where no thread can be had the next change tries again.
    void wake() noexcept {
        if (forking_) return;
        if (running_) {
            work_.notify_one();
            return;
        }
        if (thread_.joinable()) thread_.join();  // it has said that it ends
        try {
            start();
            running_ = true;
        } catch (const std::system_error&) {
            for (BackgroundSync* const file : queue_) file->dirty_.store(false);
        }
    }

    void start() {
#ifdef _WIN32
        thread_ = std::thread([this] { run(); });
#else
        // Signals are for the threads of the program.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            thread_ = std::thread([this] { run(); });
        } catch (...) {
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
            throw;
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
    }

    void run() noexcept {
        std::unique_lock lock(mutex_);
        while (!forking_ && !queue_.empty()) {
            const auto next = std::ranges::min_element(queue_, {}, &BackgroundSync::due_);
            BackgroundSync& file = **next;
            if (file.due_ > BackgroundSync::Clock::now()) {
                const auto due = file.due_;  // the file may go meanwhile
                work_.wait_until(lock, due);
                continue;
            }
            queue_.erase(next);
            syncing_ = &file;
            lock.unlock();
            // A change that comes from here on is one for the next time.
            file.dirty_.exchange(false, std::memory_order_acq_rel);
            std::exception_ptr error;
            try {
                file.sync_();
            } catch (...) {
                error = std::current_exception();
            }
            lock.lock();
            if (error) {
                file.error_ = std::move(error);
                file.failed_.store(true, std::memory_order_release);
            }
            syncing_ = nullptr;
            done_.notify_all();
        }
        running_ = false;
        done_.notify_all();
    }

#ifndef _WIN32
    void before_fork() {
        forks_.lock();
        std::unique_lock lock(mutex_);
        forking_ = true;
        work_.notify_one();
        lock.unlock();
        if (thread_.joinable()) thread_.join();
        mutex_.lock();
    }

    void after_fork(bool in_child) noexcept {
        forking_ = false;
        if (in_child) queue_.clear();  // files of the parent
        for (BackgroundSync* const file : queue_) file->dirty_.store(false);
        mutex_.unlock();
        forks_.unlock();
    }
#endif

    std::mutex forks_;  // one fork at a time
    std::mutex mutex_;  // guards what follows
    std::condition_variable work_;
    std::condition_variable done_;
    std::vector<BackgroundSync*> queue_;
    const BackgroundSync* syncing_ = nullptr;
    std::thread thread_;
    bool running_ = false;
    bool forking_ = false;
};

BackgroundSync::BackgroundSync(std::function<void()> sync, double interval)
    : sync_(std::move(sync)),
      interval_(std::chrono::duration_cast<Clock::duration>(
          std::chrono::duration<double>(std::clamp(interval, 0.0, 1e6)))),
      dirty_(!(interval > 0)) {}

void BackgroundSync::enqueue() noexcept { Syncer::get().add(*this); }
void BackgroundSync::stop() noexcept { Syncer::get().remove(*this); }
void BackgroundSync::rethrow() {
    if (const auto error = Syncer::get().take_error(*this)) std::rethrow_exception(error);
}
void resume_syncing() noexcept { Syncer::get().resume(); }

}  // namespace drawstore::file
