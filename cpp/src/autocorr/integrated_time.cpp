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

constexpr std::size_t shortest_block = 256;
constexpr std::size_t usual_block = 1024;
constexpr std::size_t largest_block = 65536;
constexpr std::size_t sample_steps = 4096;
constexpr std::size_t sample_walkers = 2;
constexpr double sample_margin = 1.5;  // what a window may be longer than the sample says

// The block to begin with, always a power of four: the shortest that is likely to hold the windows
// of these parameters, for short blocks stay in nearer caches. A wrong guess costs time, no digits.
std::size_t first_block(const Kernel& kernel, const EnsembleView& draws,
                        const std::vector<Normalisation>& normalisations,
                        const std::vector<std::size_t>& params, double c) {
    if (draws.n_steps * draws.n_walkers < 10 * sample_steps * sample_walkers ||
        draws.n_steps < 2 * sample_steps) {
        // A chain of 50 times τ or more, with the usual window of 5 τ, needs lags up to a tenth of
        // its length.
        std::size_t block = 16;
        while (block < usual_block && block < draws.n_steps / 8) block *= 4;
        return block;
    }
    EnsembleView sample = draws;
    sample.n_steps = sample_steps;
    sample.n_walkers = std::min(draws.n_walkers, sample_walkers);
    auto functions = blocked_correlation(kernel, sample, normalisations, params, usual_block, 1);
    double window = 0;
    for (auto& rho : functions) {
        const double at_zero = rho.front();
        for (double& value : rho) value /= at_zero;
        const auto time = windowed_time(rho, sample_steps, c);
        if (!time) return 4 * usual_block;
        window = std::max(window, c * *time);
    }
    std::size_t block = shortest_block;
    while (static_cast<double>(block) < sample_margin * window) block *= 4;
    return std::min(block, 4 * usual_block);
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
    std::size_t block = open.empty() ? 0 : first_block(kernel, draws, normalisations, open, c);
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
