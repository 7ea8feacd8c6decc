#include "batch.hpp"

#include <algorithm>
#include <iterator>

namespace drawstore::autocorr {
namespace {

constexpr std::size_t tile_rows = 64;  // that stay in the nearest cache

}  // namespace

Batch::Batch(Real type, std::ptrdiff_t stride) noexcept : type_(type) { sources_.stride = stride; }

void Batch::set(std::size_t column, const std::byte* at, std::size_t n_rows,
                const std::byte* reference, Normalisation normalisation) noexcept {
    sources_.at[column] = at;
    sources_.reference[column] = reference;
    sources_.scale[column] = normalisation.scale;
    sources_.shift[column] = normalisation.shift;
    n_rows_[column] = n_rows;
}

std::size_t Batch::n_rows() const noexcept { return *std::ranges::max_element(n_rows_); }

std::size_t Batch::next_end(std::size_t row) const noexcept {
    std::size_t end = n_rows();
    for (const std::size_t n : n_rows_) {
        if (n > row) end = std::min(end, n);
    }
    return end;
}

// The sources of a row, where a column that has ended reads another one, times zero.
Sources Batch::present(std::size_t row) const noexcept {
    Sources sources = sources_;
    const auto longest =
        static_cast<std::size_t>(std::ranges::max_element(n_rows_) - std::begin(n_rows_));
    for (std::size_t i = 0; i < row_width; ++i) {
        if (n_rows_[i] > row) continue;
        sources.at[i] = sources.at[longest];
        sources.reference[i] = sources.reference[longest];
        sources.scale[i] = 0;
        sources.shift[i] = 0;
    }
    sources.adjacent = type_ == Real::float64;
    for (std::size_t i = 0; i < row_width; ++i) {
        const std::byte* const neighbour =
            sources.at[i / lanes * lanes] + i % lanes * sizeof(double);
        if (sources.at[i] != neighbour) sources.adjacent = false;
    }
    return sources;
}

void Batch::pack(const Kernel& kernel, std::size_t first_row, std::size_t n_rows,
                 double* out) const noexcept {
    kernel.pack[static_cast<std::size_t>(type_)](present(first_row), first_row, n_rows, out);
}

void Batch::pack_differences(const Kernel& kernel, std::size_t first_row, std::size_t n_rows,
                             double* out) const noexcept {
    Sources sources = present(first_row);
    for (std::size_t i = 0; i < row_width; ++i) {
        sources.reference[i] =
            sources.at[i] + static_cast<std::ptrdiff_t>(first_row) * sources.stride;
        sources.scale[i] = 1;
        sources.shift[i] = 0;
    }
    kernel.pack[static_cast<std::size_t>(type_)](sources, first_row, n_rows, out);
}

bool Batch::transform(const Kernel& kernel, const Twiddles& twiddles, std::size_t first_row,
                      double* rows) const noexcept {
    const std::size_t end = std::min(first_row + twiddles.block, n_rows());
    if (first_row >= end) return false;
    for (std::size_t row = first_row; row < end;) {
        const Sources sources = present(row);
        const std::size_t piece_end = std::min(end, next_end(row));
        while (row < piece_end) {
            const std::size_t start = row - first_row;
            const std::size_t n = std::min(tile_rows, piece_end - row);
            kernel.pack[static_cast<std::size_t>(type_)](sources, row, n, rows + start * row_width);
            kernel.turn(twiddles, start, n, rows);
            row += n;
        }
    }
    const std::size_t n_written = end - first_row;
    for (std::size_t half = 0; half < 2; ++half) {
        std::fill(rows + (half * twiddles.block + n_written) * row_width,
                  rows + (half + 1) * twiddles.block * row_width, 0.0);
    }
    kernel.forward(twiddles, rows);
    return true;
}

}  // namespace drawstore::autocorr
