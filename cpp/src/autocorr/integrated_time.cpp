#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "blocks.hpp"
#include "dispatch.hpp"
#include "drawstore/autocorr.hpp"
#include "drawstore/error.hpp"
#include "moments.hpp"
#include "parallel.hpp"
#include "whole.hpp"
#include "window.hpp"

namespace drawstore {
namespace {

using namespace autocorr;

constexpr std::size_t usual_block = 1024;
constexpr std::size_t largest_block = 65536;

// A chain of 50 times τ or more, with the usual window of 5 τ, needs lags up to a tenth of its
// length. Always a power of four.
std::size_t first_block(std::size_t n_steps) noexcept {
    std::size_t block = 16;
    while (block < usual_block && block < n_steps / 8) block *= 4;
    return block;
}

// Whether the correlation of a parameter is defined in each of its walkers.
bool is_defined(const EnsembleView& draws, const std::vector<Normalisation>& normalisations,
                std::size_t param) noexcept {
    for (std::size_t walker = 0; walker < draws.n_walkers; ++walker) {
        if (std::isnan(normalisations[walker * draws.n_params + param].scale)) return false;
    }
    return draws.n_walkers > 0;
}

}  // namespace

std::vector<double> integrated_time(const EnsembleView& draws, double c, std::size_t n_threads) {
    if (draws.n_steps == 0) throw ValueError("there are no steps to correlate");
    if (n_threads == 0) throw ValueError("threads must be at least 1");
    const Kernel& kernel = best_kernel();
    const std::vector<Normalisation> normalisations =
        autocorr::normalisations(kernel, draws, n_threads);
    std::vector<double> tau(draws.n_params, std::numeric_limits<double>::quiet_NaN());
    std::vector<std::size_t> open;  // parameters without an answer
    for (std::size_t param = 0; param < draws.n_params; ++param) {
        if (is_defined(draws, normalisations, param)) open.push_back(param);
    }
    std::size_t block = first_block(draws.n_steps);
    for (; block < draws.n_steps && block <= largest_block && !open.empty(); block *= 4) {
        const auto functions =
            blocked_correlation(kernel, draws, normalisations, open, block, n_threads);
        std::vector<std::size_t> still_open;
        for (std::size_t i = 0; i < open.size(); ++i) {
            if (const auto time = windowed_time(functions[i], draws.n_steps, c)) {
                tau[open[i]] = *time;
            } else {
                still_open.push_back(open[i]);
            }
        }
        open = std::move(still_open);
    }
    std::atomic<std::size_t> next{0};
    in_threads(std::min(n_threads, open.size()), [&](std::size_t) {
        for (std::size_t i = next++; i < open.size(); i = next++) {
            const auto function = whole_correlation(kernel, draws, normalisations, open[i]);
            tau[open[i]] = *windowed_time(function, draws.n_steps, c);
        }
    });
    return tau;
}

std::vector<double> autocorrelation_function(const EnsembleView& series) {
    if (series.n_walkers != 1 || series.n_params != 1) {
        throw ValueError("an autocorrelation function belongs to one series");
    }
    if (series.n_steps == 0) throw ValueError("there are no steps to correlate");
    const Kernel& kernel = best_kernel();
    const std::vector<Normalisation> normalisations = autocorr::normalisations(kernel, series, 1);
    if (!is_defined(series, normalisations, 0)) {
        return std::vector<double>(series.n_steps, std::numeric_limits<double>::quiet_NaN());
    }
    std::vector<double> function = whole_correlation(kernel, series, normalisations, 0);
    const double at_zero = function.front();
    for (double& rho : function) rho /= at_zero;
    return function;
}

}  // namespace drawstore
