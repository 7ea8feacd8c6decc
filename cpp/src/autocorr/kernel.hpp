// The inner loops of the autocorrelation, which are compiled once for each level of the processor.
//
// Everything works on rows of `lanes` complex numbers: `lanes` real parts, then `lanes` imaginary
// ones. Each lane is a transform of its own, so that no loop ever mixes lanes.
//
// Only plain types here, and no inline function of the standard library: one that was compiled for
// a newer processor might be linked into code that runs on an older one.
#pragma once

#include <cstddef>

namespace drawstore::autocorr {

constexpr std::size_t lanes = 8;
constexpr std::size_t row_width = 2 * lanes;  // doubles
constexpr std::size_t row_alignment = 64;     // bytes
constexpr std::size_t lag_block = 8;          // lags that are summed at a time

// Powers of w(n) = exp(-2πi/n) for transforms of 2·block rows; a complex number is two doubles.
struct Twiddles {
    std::size_t block = 0;          // a power of two
    const double* turns = nullptr;  // w(2·block)^j for j < block
    const double* passes[64] = {};  // [log2(n)]: w(n)^j, w(n)^2j and w(n)^3j for j < n/4
};

// Where the numbers of a row come from: one address for each column, the same stride for all.
struct Sources {
    const std::byte* at[row_width] = {};  // of the first number
    std::ptrdiff_t stride = 0;            // bytes from a row to the next
    // A number x becomes (x - reference)·scale + shift. The reference is a number of the same type,
    // so that nothing is lost where all numbers are large and close together.
    const std::byte* reference[row_width] = {};
    double scale[row_width] = {};
    double shift[row_width] = {};
    // Whether the real parts lie side by side in memory, and so the imaginary ones.
    bool adjacent = false;
};

struct Kernel {
    // Writes `n_rows` rows from `first_row` of the sources on; by type of number, as `Real` counts.
    void (*pack[3])(const Sources& sources, std::size_t first_row, std::size_t n_rows, double* out);

    // Writes to row `start + block` and those after it the product of `n_rows` rows from `start` on
    // with their roots. As the second half of what is transformed is zero, that is the first step.
    void (*turn)(const Twiddles& twiddles, std::size_t start, std::size_t n_rows, double* rows);

    // Sum and sum of squares of each column.
    void (*sums)(const double* rows, std::size_t n_rows, double* sum, double* squares);

    // Adds to row k of `products`, for k < n_lags, the sum of row t times row t - k over `n_rows`
    // rows t. There are n_lags more rows before the first. n_lags is a multiple of lag_block.
    void (*lag_products)(const double* rows, std::size_t n_rows, std::size_t n_lags,
                         double* products);

    // Transforms `block` rows that were turned, and as many zeros after them, in place into 2·block
    // rows: first the even frequencies, then the odd ones, each digit-reversed.
    void (*forward)(const Twiddles& twiddles, double* rows);

    // Transforms 2·block rows back, without the factor 1/(2·block). Only the first half of the
    // result is right.
    void (*inverse)(const Twiddles& twiddles, double* rows);

    // Adds to `spectrum` the correlation of a transformed block with itself and the block after
    // it (null: zeros): conj(z[k])·(z[k] + (-1)^k·next[k]), C. M. Rader's formula (IEEE Trans.
    // Audio Electroacoust. 18, 439, 1970).
    void (*correlate)(std::size_t block, const double* z, const double* next, double* spectrum);
};

extern const Kernel baseline_kernel;
extern const Kernel x86_64_v3_kernel;  // where DRAWSTORE_X86_64_V3 is defined

}  // namespace drawstore::autocorr
