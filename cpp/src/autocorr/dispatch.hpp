// Which kernels this processor runs.
#pragma once

#include <vector>

#include "kernel.hpp"

namespace drawstore::autocorr {

// All that it runs, the fastest first.
std::vector<const Kernel*> usable_kernels();

const Kernel& best_kernel();

}  // namespace drawstore::autocorr
