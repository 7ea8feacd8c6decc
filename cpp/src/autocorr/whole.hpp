// The autocorrelation function of one parameter at all lags, by one transform of the whole series.
#pragma once

#include <span>
#include <vector>

#include "batch.hpp"

namespace drawstore::autocorr {

// Averaged over the walkers, at lags 0 to n_steps - 1.
std::vector<double> whole_correlation(const Kernel& kernel, const EnsembleView& draws,
                                      std::span<const Normalisation> normalisations,
                                      std::size_t param);

}  // namespace drawstore::autocorr
