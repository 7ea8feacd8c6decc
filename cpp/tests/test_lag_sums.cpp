#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "autocorr/dispatch.hpp"
#include "autocorr/plan.hpp"
#include "drawstore/error.hpp"
#include "drawstore/lag_sums.hpp"

namespace drawstore {
namespace {

using namespace autocorr;

// Autoregressive series of an ensemble, in C order.
struct Ensemble {
    Ensemble(std::size_t n_steps, std::size_t walkers, std::size_t params, double coefficient)
        : n_walkers(walkers), n_params(params), numbers(n_steps * walkers * params) {
        std::mt19937 random(7);
        std::normal_distribution<double> normal;
        const std::size_t row = walkers * params;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            numbers[i] = normal(random) + (i < row ? 0 : coefficient * numbers[i - row]);
        }
    }

    EnsembleView view(std::size_t start, std::size_t stop) const {
        const std::size_t row = n_walkers * n_params;
        return {reinterpret_cast<const std::byte*>(numbers.data() + start * row),
                Real::float64,
                stop - start,
                n_walkers,
                n_params,
                static_cast<std::ptrdiff_t>(row * sizeof(double)),
                static_cast<std::ptrdiff_t>(n_params * sizeof(double)),
                sizeof(double)};
    }

    std::size_t n_walkers;
    std::size_t n_params;
    std::vector<double> numbers;
};

void check_same(const std::vector<double>& actual, const std::vector<double>& expected) {
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
        if (std::isnan(expected[i])) {
            CHECK(std::isnan(actual[i]));
        } else {
            CHECK(std::abs(actual[i] - expected[i]) < 1e-10 * std::abs(expected[i]) + 1e-13);
        }
    }
}

TEST_CASE("products at each lag are those of their definition, in every kernel") {
    for (const Kernel* kernel : usable_kernels()) {
        for (const std::size_t n_lags : {lag_block, 5 * lag_block}) {
            for (const std::size_t n_rows : {1u, 7u, 100u}) {
                Rows rows(n_lags + n_rows);
                std::mt19937 random(3);
                for (std::size_t i = 0; i < (n_lags + n_rows) * row_width; ++i) {
                    rows.data()[i] = std::normal_distribution<double>()(random);
                }
                Rows products(n_lags);
                std::fill_n(products.data(), n_lags * row_width, 1.0);
                const double* const added = rows.data() + n_lags * row_width;
                kernel->lag_products(added, n_rows, n_lags, products.data());
                double worst = 0;
                for (std::size_t lag = 0; lag < n_lags; ++lag) {
                    for (std::size_t i = 0; i < row_width; ++i) {
                        double sum = 1;
                        for (std::size_t t = 0; t < n_rows; ++t) {
                            const double* const x = added + t * row_width + i;
                            sum += *x * *(x - lag * row_width);
                        }
                        worst =
                            std::max(worst, std::abs(sum - products.data()[lag * row_width + i]));
                    }
                }
                CHECK(worst < 1e-12);
            }
        }
    }
}

TEST_CASE("draws that are appended in pieces have the times of all together") {
    // Few at a time are summed directly, many by transforms.
    for (const std::size_t piece : {1u, 90u, 1024u, 1025u, 9000u}) {
        for (const std::size_t n_threads : {1u, 3u}) {
            const Ensemble ensemble(piece == 1 ? 600 : 9000, 5, 7, 0.8);
            const std::size_t n_steps = ensemble.numbers.size() / 35;
            LagSums sums(5, 7, 100);
            for (std::size_t start = 0; start < n_steps; start += piece) {
                const std::size_t stop = std::min(n_steps, start + piece);
                sums.append(ensemble.view(start, stop), n_threads);
                const auto tau = sums.integrated_time(5);
                if (stop % 9 == 0 && tau) {
                    check_same(*tau, integrated_time(ensemble.view(0, stop), 5));
                }
            }
            CHECK(sums.n_steps() == n_steps);
            check_same(sums.integrated_time(5).value(),
                       integrated_time(ensemble.view(0, n_steps), 5));
        }
    }
}

TEST_CASE("a window that the lags do not hold is not taken for one") {
    const Ensemble ensemble(4000, 3, 2, 0.99);
    LagSums sums(3, 2, 64);
    CHECK(sums.n_lags() == 64);
    sums.append(ensemble.view(0, 4000));
    CHECK_FALSE(sums.integrated_time(5));
    CHECK_FALSE(sums.integrated_time(0));
    CHECK_FALSE(sums.integrated_time(std::numeric_limits<double>::quiet_NaN()));
    // With all lags there is always an answer.
    LagSums all(3, 2, 50);
    all.append(ensemble.view(0, 50));
    for (const double c : {0.0, 5.0, 1e9}) {
        check_same(all.integrated_time(c).value(), integrated_time(ensemble.view(0, 50), c));
    }
}

TEST_CASE("a series that is constant, or not finite, concerns its parameter only") {
    for (const std::size_t piece : {100u, 3000u}) {
        Ensemble ensemble(6000, 4, 5, 0.5);
        for (std::size_t t = 0; t < 6000; ++t) {
            ensemble.numbers[t * 20 + 3] = 0.1;
            if (t < 3500) ensemble.numbers[t * 20 + 16] = 0.1;  // moves late
        }
        ensemble.numbers[20 * 5999 + 7] = std::numeric_limits<double>::infinity();
        LagSums sums(4, 5, 64);
        for (std::size_t start = 0; start < 6000; start += piece) {
            sums.append(ensemble.view(start, start + piece));
        }
        const auto tau = sums.integrated_time(5);
        REQUIRE(tau);
        CHECK(std::isnan((*tau)[3]));
        CHECK(std::isnan((*tau)[2]));
        check_same(*tau, integrated_time(ensemble.view(0, 6000), 5));
    }
}

TEST_CASE("no draws, and draws that do not belong together") {
    const Ensemble ensemble(10, 3, 2, 0.5);
    CHECK_THROWS_AS(LagSums(3, 2, 0), ValueError);
    CHECK_THROWS_AS(LagSums(std::numeric_limits<std::size_t>::max() / 2, 3, 8), ValueError);
    LagSums sums(3, 2, 8);
    CHECK_THROWS_AS(sums.integrated_time(5), ValueError);
    CHECK_THROWS_AS(sums.append(ensemble.view(0, 10), 0), ValueError);
    CHECK_THROWS_AS(LagSums(2, 3, 8).append(ensemble.view(0, 10)), ValueError);
    sums.append(ensemble.view(0, 0));
    CHECK(sums.n_steps() == 0);
    sums.append(ensemble.view(0, 10));
    EnsembleView other = ensemble.view(0, 10);
    other.type = Real::float32;
    CHECK_THROWS_AS(sums.append(other), ValueError);
    LagSums none(3, 0, 8);
    none.append(Ensemble(10, 3, 0, 0.5).view(0, 10));
    CHECK(none.integrated_time(5).value().empty());
}

}  // namespace
}  // namespace drawstore
