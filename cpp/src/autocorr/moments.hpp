// What brings each series to mean 0 and a sum of squares of 1.
#pragma once

#include <vector>

#include "batch.hpp"

namespace drawstore::autocorr {

// One for each series, the parameters of a walker side by side. The scale is NaN for a series that
// is constant, or whose numbers, or their squares, are not finite.
std::vector<Normalisation> normalisations(const Kernel& kernel, const EnsembleView& draws,
                                          std::size_t n_threads);

}  // namespace drawstore::autocorr
