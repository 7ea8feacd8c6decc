// Autocorrelation functions and integrated autocorrelation times of stored draws.
#pragma once

#include <cstddef>
#include <vector>

namespace drawstore {

enum class Real { float32, float64, long_double };

// Draws of an ensemble where they lie: n_steps × n_walkers × n_params numbers of one type, aligned
// for it, at any strides (in bytes; also negative or zero). Not owned.
struct EnsembleView {
    const std::byte* data = nullptr;
    Real type = Real::float64;
    std::size_t n_steps = 0;
    std::size_t n_walkers = 0;
    std::size_t n_params = 0;
    std::ptrdiff_t step_stride = 0;
    std::ptrdiff_t walker_stride = 0;
    std::ptrdiff_t param_stride = 0;
};

// The integrated autocorrelation time of each parameter, in steps: τ = 1 + 2 Σ ρ(k), where ρ is the
// normalised autocorrelation function averaged over the walkers (J. Goodman and J. Weare, Commun.
// Appl. Math. Comput. Sci. 5, 65, 2010), summed up to the first lag k with k ≥ c·τ(k) (A. Sokal,
// "Monte Carlo Methods in Statistical Mechanics", 1989).
//
// NaN for a parameter of which a walker never moved or has a value that is not finite, and where
// there are no walkers. The draws are read in place, by at most `n_threads` threads.
//
// Throws ValueError where there are no steps or no threads.
std::vector<double> integrated_time(const EnsembleView& draws, double c, std::size_t n_threads = 1);

// The autocorrelation function of one series (one walker, one parameter) at lags 0 to n_steps - 1,
// 1 at lag 0. All NaN for a constant series, and for one with a value that is not finite.
//
// Throws ValueError where there are no steps, or several series.
std::vector<double> autocorrelation_function(const EnsembleView& series);

}  // namespace drawstore
