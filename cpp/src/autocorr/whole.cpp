#include "whole.hpp"

#include <algorithm>
#include <bit>
#include <numbers>

#include "plan.hpp"

// The series is dealt out to the lanes in turn: lane r has the numbers r, r + lanes, … . The kernel
// transforms each lane, and a step across the lanes joins their frequencies k to the frequencies
// k + q·n/lanes of the whole, as in the last step of decimation in time.
namespace drawstore::autocorr {
namespace {

struct Complex {
    double re, im;
};
Complex operator+(Complex a, Complex b) noexcept { return {a.re + b.re, a.im + b.im}; }
Complex operator-(Complex a, Complex b) noexcept { return {a.re - b.re, a.im - b.im}; }
Complex operator*(Complex a, Complex b) noexcept {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
Complex conj(Complex a) noexcept { return {a.re, -a.im}; }

using Across = Complex[lanes];  // one row

static_assert(lanes == 8);
constexpr double half_root = std::numbers::sqrt2 / 2;
constexpr Complex eighth_roots[4] = {
    {1, 0}, {half_root, -half_root}, {0, -1}, {-half_root, -half_root}};

// A transform of eight numbers in place, to bit-reversed order.
void transform(Across& z) noexcept {
    for (std::size_t half = 4; half > 0; half /= 2) {
        for (std::size_t i = 0; i < lanes; i += 2 * half) {
            for (std::size_t j = i; j < i + half; ++j) {
                const Complex difference = z[j] - z[j + half];
                z[j] = z[j] + z[j + half];
                z[j + half] = difference * eighth_roots[(j - i) * (4 / half)];
            }
        }
    }
}

// What undoes it, up to the factor 8.
void transform_back(Across& z) noexcept {
    for (std::size_t half = 1; half < lanes; half *= 2) {
        for (std::size_t i = 0; i < lanes; i += 2 * half) {
            for (std::size_t j = i; j < i + half; ++j) {
                const Complex turned = z[j + half] * conj(eighth_roots[(j - i) * (4 / half)]);
                z[j + half] = z[j] - turned;
                z[j] = z[j] + turned;
            }
        }
    }
}

// 1, w, w², … , each by as few products as can be.
void powers(Complex w, Across& result) noexcept {
    result[0] = {1, 0};
    result[1] = w;
    for (std::size_t r = 2; r < lanes; ++r) result[r] = result[r / 2] * result[r - r / 2];
}

class WholeCorrelation {
  public:
    WholeCorrelation(const Kernel& kernel, std::size_t n_steps)
        : kernel_(kernel),
          plan_(std::max(std::bit_ceil(n_steps), lanes) / lanes),
          rows_(plan_.n_rows()),
          power_(plan_.n_rows() * lanes) {
        turns_.reserve(plan_.n_rows());
        for (const std::size_t k : plan_.frequencies()) {
            const std::complex<double> w = unit_root(k, plan_.n_rows() * lanes);
            turns_.push_back({w.real(), w.imag()});
        }
    }

    // Adds the power spectrum of a batch whose columns are two series, dealt out.
    void add(const Batch& batch) {
        batch.transform(kernel_, plan_.twiddles(), 0, rows_.data());
        for (std::size_t i = 0; i < plan_.n_rows(); ++i) {
            const double* const row = rows_.data() + i * row_width;
            Across turn;
            Across z;
            powers(turns_[i], turn);
            for (std::size_t r = 0; r < lanes; ++r)
                z[r] = Complex{row[r], row[lanes + r]} * turn[r];
            transform(z);
            for (std::size_t q = 0; q < lanes; ++q) {
                power_[i * lanes + q] += z[q].re * z[q].re + z[q].im * z[q].im;
            }
        }
    }

    // The sum of the series' functions.
    std::vector<double> function(std::size_t n_lags) {
        for (std::size_t i = 0; i < plan_.n_rows(); ++i) {
            double* const row = rows_.data() + i * row_width;
            Across turn;
            Across z;
            powers(conj(turns_[i]), turn);
            for (std::size_t q = 0; q < lanes; ++q) z[q] = {power_[i * lanes + q], 0};
            transform_back(z);
            for (std::size_t r = 0; r < lanes; ++r) {
                z[r] = z[r] * turn[r];
                row[r] = z[r].re;
                row[lanes + r] = z[r].im;
            }
        }
        kernel_.inverse(plan_.twiddles(), rows_.data());
        const double factor = 1 / static_cast<double>(plan_.n_rows() * lanes);
        std::vector<double> function(n_lags);
        for (std::size_t lag = 0; lag < n_lags; ++lag) {
            function[lag] = rows_.data()[lag / lanes * row_width + lag % lanes] * factor;
        }
        return function;
    }

  private:
    const Kernel& kernel_;
    Plan plan_;
    Rows rows_;
    std::vector<double> power_;
    std::vector<Complex> turns_;  // exp(-2πi k/n) of each row's frequency k
};

// Deals a series out to the real or the imaginary parts of a batch.
void deal_out(Batch& batch, std::size_t first_column, const EnsembleView& draws, std::size_t walker,
              std::size_t param, Normalisation normalisation) noexcept {
    for (std::size_t r = 0; r < std::min(lanes, draws.n_steps); ++r) {
        batch.set(first_column + r, number_at(draws, r, walker, param),
                  (draws.n_steps - r - 1) / lanes + 1, number_at(draws, 0, walker, param),
                  normalisation);
    }
}

}  // namespace

std::vector<double> whole_correlation(const Kernel& kernel, const EnsembleView& draws,
                                      std::span<const Normalisation> normalisations,
                                      std::size_t param) {
    WholeCorrelation correlation(kernel, draws.n_steps);
    for (std::size_t walker = 0; walker < draws.n_walkers; walker += 2) {
        Batch batch(draws.type, draws.step_stride * static_cast<std::ptrdiff_t>(lanes));
        for (std::size_t w = walker; w < std::min(walker + 2, draws.n_walkers); ++w) {
            deal_out(batch, (w - walker) * lanes, draws, w, param,
                     normalisations[w * draws.n_params + param]);
        }
        correlation.add(batch);
    }
    std::vector<double> function = correlation.function(draws.n_steps);
    for (double& rho : function) rho /= static_cast<double>(draws.n_walkers);
    return function;
}

}  // namespace drawstore::autocorr
