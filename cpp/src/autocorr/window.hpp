// Where the sum over the autocorrelation function ends.
#pragma once

#include <optional>
#include <span>

namespace drawstore::autocorr {

// The integrated time at Sokal's window: the first lag k that is not below c·τ(k), where
// τ(k) = 2·(rho[0] + … + rho[k]) - 1.
//
// `rho` holds the first lags of n_steps in all. Nothing, where more of them are needed to tell.
// With all lags there is always an answer: where no lag is below c·τ(k), τ at the last one, and
// where each is, τ at the first one, as emcee has it.
std::optional<double> windowed_time(std::span<const double> rho, std::size_t n_steps, double c);

}  // namespace drawstore::autocorr
