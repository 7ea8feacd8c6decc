// Autocorrelation functions at short lags, from blocks that stay in the cache.
#pragma once

#include <span>
#include <vector>

#include "batch.hpp"

namespace drawstore::autocorr {

// The autocorrelation function of each of `params`, averaged over the walkers, at lags 0 to
// block - 1. The block is a power of two.
std::vector<std::vector<double>> blocked_correlation(const Kernel& kernel,
                                                     const EnsembleView& draws,
                                                     std::span<const Normalisation> normalisations,
                                                     std::span<const std::size_t> params,
                                                     std::size_t block, std::size_t n_threads);

}  // namespace drawstore::autocorr
