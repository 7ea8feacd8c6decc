#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <complex>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#include "autocorr/blocks.hpp"
#include "autocorr/dispatch.hpp"
#include "autocorr/moments.hpp"
#include "autocorr/parallel.hpp"
#include "autocorr/plan.hpp"
#include "autocorr/whole.hpp"
#include "autocorr/window.hpp"
#include "drawstore/autocorr.hpp"
#include "drawstore/error.hpp"

namespace drawstore {
namespace {

using namespace autocorr;

template <class T>
constexpr Real real_of = sizeof(T) == sizeof(float) ? Real::float32 : Real::float64;
template <>
constexpr Real real_of<long double> = Real::long_double;

// An ensemble of autoregressive series, in C order.
template <class T>
struct Ensemble {
    Ensemble(std::size_t n_steps, std::size_t n_walkers, std::size_t n_params, double coefficient)
        : numbers(n_steps * n_walkers * n_params),
          view{reinterpret_cast<const std::byte*>(numbers.data()),
               real_of<T>,
               n_steps,
               n_walkers,
               n_params,
               static_cast<std::ptrdiff_t>(n_walkers * n_params * sizeof(T)),
               static_cast<std::ptrdiff_t>(n_params * sizeof(T)),
               sizeof(T)} {
        std::mt19937 random(7);
        std::normal_distribution<double> normal;
        const std::size_t row = n_walkers * n_params;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const double before = i < row ? 0 : static_cast<double>(numbers[i - row]);
            numbers[i] = static_cast<T>(coefficient * before + normal(random));
        }
    }

    std::vector<T> numbers;
    EnsembleView view;
};

double value_at(const EnsembleView& draws, std::size_t t, std::size_t w, std::size_t p) {
    const std::byte* at = draws.data + static_cast<std::ptrdiff_t>(t) * draws.step_stride +
                          static_cast<std::ptrdiff_t>(w) * draws.walker_stride +
                          static_cast<std::ptrdiff_t>(p) * draws.param_stride;
    if (draws.type == Real::float32) return *reinterpret_cast<const float*>(at);
    if (draws.type == Real::float64) return *reinterpret_cast<const double*>(at);
    return static_cast<double>(*reinterpret_cast<const long double*>(at));
}

// The definition, averaged over the walkers.
std::vector<double> plain_correlation(const EnsembleView& draws, std::size_t param,
                                      std::size_t n_lags) {
    std::vector<double> function(n_lags);
    for (std::size_t w = 0; w < draws.n_walkers; ++w) {
        std::vector<double> x(draws.n_steps);
        for (std::size_t t = 0; t < draws.n_steps; ++t) x[t] = value_at(draws, t, w, param);
        const double mean = std::accumulate(x.begin(), x.end(), 0.0) / double(x.size());
        for (double& value : x) value -= mean;
        const double squares = std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
        for (std::size_t lag = 0; lag < n_lags; ++lag) {
            const double products =
                std::inner_product(x.begin() + std::ptrdiff_t(lag), x.end(), x.begin(), 0.0);
            function[lag] += products / squares / double(draws.n_walkers);
        }
    }
    return function;
}

void check_close(const std::vector<double>& actual, const std::vector<double>& expected,
                 double tolerance = 1e-12) {
    REQUIRE(actual.size() == expected.size());
    double worst = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        worst = std::max(worst, std::abs(actual[i] - expected[i]));
    }
    CHECK(worst < tolerance);
}

TEST_CASE("the transform is that of its definition, in every kernel and at every size") {
    for (const Kernel* kernel : usable_kernels()) {
        for (std::size_t block = 1; block <= 256; block *= 2) {
            const Plan plan(block);
            const std::size_t n = plan.n_rows();
            std::vector<double> given(block * row_width);
            std::mt19937 random(3);
            for (double& value : given) value = std::normal_distribution<double>()(random);
            Rows rows(n);
            std::copy(given.begin(), given.end(), rows.data());
            kernel->turn(plan.twiddles(), 0, block, rows.data());
            kernel->forward(plan.twiddles(), rows.data());
            const std::vector<std::size_t> frequencies = plan.frequencies();
            REQUIRE(frequencies.size() == n);
            double worst = 0;
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t lane = 0; lane < lanes; ++lane) {
                    std::complex<double> sum;
                    for (std::size_t t = 0; t < block; ++t) {
                        const std::complex<double> z(given[t * row_width + lane],
                                                     given[t * row_width + lanes + lane]);
                        sum += z * unit_root(frequencies[i] * t % n, n);
                    }
                    const double* const row = rows.data() + i * row_width + lane;
                    worst = std::max(worst, std::abs(sum - std::complex(row[0], row[lanes])));
                }
            }
            CHECK(worst < 1e-11);

            kernel->inverse(plan.twiddles(), rows.data());
            std::vector<double> back(rows.data(), rows.data() + given.size());
            for (double& value : back) value /= double(n);
            check_close(back, given, 1e-13);
        }
    }
}

TEST_CASE_TEMPLATE("blocks and the whole series give what the definition gives", T, float, double,
                   long double) {
    for (const Kernel* kernel : usable_kernels()) {
        for (const std::size_t n_steps : {2u, 9u, 63u, 64u, 65u, 300u, 1000u}) {
            for (const std::size_t n_walkers : {1u, 2u, 5u, 16u}) {
                const Ensemble<T> ensemble(n_steps, n_walkers, 3, 0.8);
                const auto normal = normalisations(*kernel, ensemble.view, 1);
                const std::vector<std::size_t> params{2, 0};
                for (const std::size_t n_threads : {1u, 3u}) {
                    const auto functions =
                        blocked_correlation(*kernel, ensemble.view, normal, params, 16, n_threads);
                    for (std::size_t i = 0; i < params.size(); ++i) {
                        auto expected = plain_correlation(ensemble.view, params[i],
                                                          std::min<std::size_t>(16, n_steps));
                        expected.resize(16);
                        check_close(functions[i], expected);
                    }
                }
                check_close(whole_correlation(*kernel, ensemble.view, normal, 1),
                            plain_correlation(ensemble.view, 1, n_steps));
            }
        }
    }
}

TEST_CASE("draws are read at any strides") {
    const Ensemble<double> ensemble(999, 6, 4, 0.7);
    EnsembleView view = ensemble.view;
    // Every third step backwards, every second walker, parameters in reverse.
    view.data += 998 * view.step_stride + 3 * view.param_stride;
    view.n_steps = 333;
    view.step_stride *= -3;
    view.n_walkers = 3;
    view.walker_stride *= 2;
    view.param_stride = -view.param_stride;
    for (const Kernel* kernel : usable_kernels()) {
        const auto normal = normalisations(*kernel, view, 2);
        const std::vector<std::size_t> params{0, 1, 2, 3};
        const auto functions = blocked_correlation(*kernel, view, normal, params, 64, 2);
        for (const std::size_t p : params) {
            check_close(functions[p], plain_correlation(view, p, 64));
            check_close(whole_correlation(*kernel, view, normal, p),
                        plain_correlation(view, p, 333));
        }
    }
}

TEST_CASE("series come to mean 0 and a sum of squares of 1") {
    for (const Kernel* kernel : usable_kernels()) {
        for (const std::size_t n_steps : {2u, 127u, 128u, 129u, 5000u}) {
            for (const std::size_t n_threads : {1u, 4u}) {
                Ensemble<double> ensemble(n_steps, 3, 2, 0.5);
                ensemble.numbers[1] = 1e6;  // a start far away
                const auto normal = normalisations(*kernel, ensemble.view, n_threads);
                for (std::size_t s = 0; s < 6; ++s) {
                    double sum = 0;
                    double squares = 0;
                    for (std::size_t t = 0; t < n_steps; ++t) {
                        const double x =
                            (ensemble.numbers[t * 6 + s] - ensemble.numbers[s]) * normal[s].scale +
                            normal[s].shift;
                        sum += x;
                        squares += x * x;
                    }
                    CHECK(std::abs(sum) < 1e-10);
                    CHECK(std::abs(squares - 1) < 1e-12);
                }
            }
        }
    }
}

TEST_CASE("a series that is constant or not finite has no scale") {
    for (const Kernel* kernel : usable_kernels()) {
        Ensemble<double> ensemble(500, 4, 5, 0.5);
        for (std::size_t t = 0; t < 500; ++t) ensemble.numbers[t * 20 + 3] = 0.1;
        ensemble.numbers[20 * 499 + 7] = std::numeric_limits<double>::infinity();
        ensemble.numbers[20 * 130 + 11] = std::numeric_limits<double>::quiet_NaN();
        ensemble.numbers[12] = -std::numeric_limits<double>::infinity();
        const auto normal = normalisations(*kernel, ensemble.view, 1);
        for (std::size_t s = 0; s < 20; ++s) {
            const bool undefined = s == 3 || s == 7 || s == 11 || s == 12;
            CHECK(std::isnan(normal[s].scale) == undefined);
        }
    }
}

TEST_CASE("the window ends where the lag is no longer below c times the time") {
    const std::vector<double> rho{1, 0.5, 0.25, 0.125, 0.0625};  // times 1, 2, 2.5, 2.75, 2.875
    CHECK(*windowed_time(rho, 100, 1) == 2.75);
    CHECK(*windowed_time(rho, 5, 1) == 2.75);
    // Where all the lags at hand are below, only the end of the series can tell.
    CHECK_FALSE(windowed_time(rho, 100, 5));
    CHECK(*windowed_time(rho, 5, 5) == 1);
    CHECK_FALSE(windowed_time(rho, 100, 0));
    CHECK(*windowed_time(rho, 5, 0) == 2.875);
}

TEST_CASE("the time is the same whichever block holds the window") {
    for (const double coefficient : {0.0, 0.9, 0.99, 0.999}) {
        const Ensemble<double> ensemble(6000, 2, 1, coefficient);
        const auto rho = plain_correlation(ensemble.view, 0, 6000);
        const double expected = *windowed_time(rho, 6000, 5);
        for (const std::size_t n_threads : {1u, 2u}) {
            const auto tau = integrated_time(ensemble.view, 5, n_threads);
            REQUIRE(tau.size() == 1);
            CHECK(std::abs(tau[0] - expected) < 1e-10 * std::abs(expected));
        }
    }
}

TEST_CASE("a function of one series") {
    const Ensemble<double> ensemble(100, 1, 1, 0.5);
    const auto function = autocorrelation_function(ensemble.view);
    CHECK(function[0] == 1);
    check_close(function, plain_correlation(ensemble.view, 0, 100));
    CHECK_THROWS_AS(autocorrelation_function(Ensemble<double>(5, 2, 1, 0).view), ValueError);
    CHECK_THROWS_AS(autocorrelation_function(Ensemble<double>(0, 1, 1, 0).view), ValueError);
}

TEST_CASE("what cannot be computed") {
    const Ensemble<double> ensemble(100, 2, 2, 0.5);
    CHECK_THROWS_AS(integrated_time(ensemble.view, 5, 0), ValueError);
    CHECK_THROWS_AS(integrated_time(Ensemble<double>(0, 2, 2, 0.5).view, 5), ValueError);
    CHECK(integrated_time(Ensemble<double>(9, 2, 0, 0.5).view, 5).empty());
    CHECK(std::isnan(integrated_time(Ensemble<double>(9, 0, 1, 0.5).view, 5)[0]));
    CHECK(std::isnan(integrated_time(Ensemble<double>(1, 2, 1, 0.5).view, 5)[0]));
}

TEST_CASE("threads share their work and hand back an exception") {
    std::atomic<int> calls{0};
    in_threads(3, [&](std::size_t) { ++calls; });
    CHECK(calls == 3);
    CHECK_THROWS_AS(in_threads(3,
                               [&](std::size_t thread) {
                                   if (thread == 1) throw std::out_of_range("thread 1");
                               }),
                    std::out_of_range);
}

}  // namespace
}  // namespace drawstore
