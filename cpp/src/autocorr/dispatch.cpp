#include "kernel.hpp"

namespace drawstore::autocorr {

const Kernel& best_kernel() noexcept {
#ifdef DRAWSTORE_X86_64_V3
    // What the loops use of that level.
    static const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (has_v3) return x86_64_v3_kernel;
#endif
    return baseline_kernel;
}

}  // namespace drawstore::autocorr
