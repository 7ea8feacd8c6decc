// Work shared between threads.
#pragma once

#include <cstddef>
#include <functional>

namespace drawstore::autocorr {

// Calls work(thread) in up to n_threads threads, this one included, and waits for all of them;
// `thread` counts from 0. Fewer threads run where the system refuses more, so `work` takes its
// share from a common counter. Rethrows the first exception.
void in_threads(std::size_t n_threads, const std::function<void(std::size_t thread)>& work);

}  // namespace drawstore::autocorr
