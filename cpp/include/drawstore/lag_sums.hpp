// Integrated autocorrelation times of draws that grow.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "drawstore/autocorr.hpp"

namespace drawstore {

// Sums over the draws of an ensemble from which its integrated autocorrelation times follow: of the
// products x(t)·x(t-k) of each series (one walker, one parameter) with itself, for lags k below
// `n_lags`. Appended draws cost what they are; those before them are not needed again.
//
// Takes the room of 3·n_lags steps, in float64. One thread at a time may call it; after an
// exception of append() nothing but destroying it is allowed.
class LagSums {
  public:
    // Throws ValueError for no lags, and for more series than can be counted.
    LagSums(std::size_t n_walkers, std::size_t n_params, std::size_t n_lags);
    ~LagSums();
    LagSums(LagSums&& other) noexcept;
    LagSums& operator=(LagSums&& other) noexcept;

    std::size_t n_steps() const noexcept;
    std::size_t n_lags() const noexcept;

    // Adds the draws that follow, by at most `n_threads` threads; they are not kept. Sums are about
    // the mean of the first draws that are appended: where those are many, a start far away, or a
    // large mean, costs no digits.
    //
    // Throws ValueError for draws of another type, or of another ensemble, and for no threads.
    void append(const EnsembleView& draws, std::size_t n_threads = 1);

    // What integrated_time() of all appended draws gives, or nothing where more lags are needed.
    //
    // Throws ValueError where there are no steps.
    std::optional<std::vector<double>> integrated_time(double c) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace drawstore
