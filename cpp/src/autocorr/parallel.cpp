#include "parallel.hpp"

#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace drawstore::autocorr {

void in_threads(std::size_t n_threads, const std::function<void(std::size_t)>& work) {
    std::exception_ptr error;
    std::mutex mutex;
    const auto guarded = [&](std::size_t thread) {
        try {
            work(thread);
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!error) error = std::current_exception();
        }
    };
    std::vector<std::thread> threads;
    threads.reserve(n_threads);
    try {
        while (threads.size() + 1 < n_threads) threads.emplace_back(guarded, threads.size() + 1);
    } catch (const std::system_error&) {
        // No more threads to be had: those that run do all of the work.
    }
    guarded(0);
    for (std::thread& thread : threads) thread.join();
    if (error) std::rethrow_exception(error);
}

}  // namespace drawstore::autocorr
