// Series of an ensemble as the columns of the kernel's rows.
#pragma once

#include <cstddef>

#include "drawstore/autocorr.hpp"
#include "kernel.hpp"

namespace drawstore::autocorr {

// The first number of a step of a series.
inline const std::byte* number_at(const EnsembleView& draws, std::size_t step, std::size_t walker,
                                  std::size_t param) noexcept {
    return draws.data + static_cast<std::ptrdiff_t>(step) * draws.step_stride +
           static_cast<std::ptrdiff_t>(walker) * draws.walker_stride +
           static_cast<std::ptrdiff_t>(param) * draws.param_stride;
}

// x ↦ (x - first number of its series)·scale + shift.
struct Normalisation {
    double scale = 1;
    double shift = 0;
};

// Up to row_width columns of numbers, some of them shorter than others. A column that was not set
// has no rows.
class Batch {
  public:
    // `stride` is that of every column, in bytes.
    Batch(Real type, std::ptrdiff_t stride) noexcept;

    void set(std::size_t column, const std::byte* at, std::size_t n_rows,
             const std::byte* reference, Normalisation normalisation) noexcept;

    std::size_t n_rows(std::size_t column) const noexcept { return n_rows_[column]; }
    // Of the longest column.
    std::size_t n_rows() const noexcept;

    // The first row after `row` from which on fewer columns have numbers. There must be one.
    std::size_t next_end(std::size_t row) const noexcept;

    // Writes rows of which every column either has all or none. What is written for a column that
    // has none is zero, unless other columns hold numbers that are not finite.
    void pack(const Kernel& kernel, std::size_t first_row, std::size_t n_rows,
              double* out) const noexcept;

    // The same, with each column's number at first_row for its reference, and neither scale nor
    // shift.
    void pack_differences(const Kernel& kernel, std::size_t first_row, std::size_t n_rows,
                          double* out) const noexcept;

    // Writes a block of rows from first_row on, with zeros where a column has ended, and transforms
    // it; false, and nothing written, where all have ended. The numbers must be finite.
    bool transform(const Kernel& kernel, const Twiddles& twiddles, std::size_t first_row,
                   double* rows) const noexcept;

  private:
    Sources present(std::size_t row) const noexcept;

    Real type_;
    Sources sources_;
    std::size_t n_rows_[row_width] = {};
};

}  // namespace drawstore::autocorr
