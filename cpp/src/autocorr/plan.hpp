// What a transform of 2·block rows needs beside its rows.
#pragma once

#include <complex>
#include <memory>
#include <new>
#include <vector>

#include "kernel.hpp"

namespace drawstore::autocorr {

// Rows as the kernel wants them: aligned, and not initialised.
class Rows {
  public:
    explicit Rows(std::size_t n_rows)
        : data_(static_cast<double*>(::operator new(n_rows * row_width * sizeof(double),
                                                    std::align_val_t{row_alignment}))) {}
    double* data() noexcept { return data_.get(); }
    const double* data() const noexcept { return data_.get(); }

  private:
    struct Release {
        void operator()(double* data) const noexcept {
            ::operator delete(data, std::align_val_t{row_alignment});
        }
    };
    std::unique_ptr<double, Release> data_;
};

class Plan {
  public:
    // `block` is a power of two.
    explicit Plan(std::size_t block);
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    std::size_t block() const noexcept { return twiddles_.block; }
    std::size_t n_rows() const noexcept { return 2 * twiddles_.block; }
    const Twiddles& twiddles() const noexcept { return twiddles_; }

    // The frequency of each row after a forward transform.
    std::vector<std::size_t> frequencies() const;

  private:
    std::vector<double> numbers_;
    Twiddles twiddles_;
};

// exp(-2πi j/n), to the last digit. j < n.
std::complex<double> unit_root(std::size_t j, std::size_t n) noexcept;

}  // namespace drawstore::autocorr
