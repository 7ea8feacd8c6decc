#include "dispatch.hpp"

namespace drawstore::autocorr {

std::vector<const Kernel*> usable_kernels() {
    std::vector<const Kernel*> kernels{&baseline_kernel};
#ifdef DRAWSTORE_X86_64_V3
    // What the loops use of that level.
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        kernels.insert(kernels.begin(), &x86_64_v3_kernel);
    }
#endif
    return kernels;
}

const Kernel& best_kernel() {
    static const Kernel& best = *usable_kernels().front();
    return best;
}

}  // namespace drawstore::autocorr
