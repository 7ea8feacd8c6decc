#include "moments.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "parallel.hpp"
#include "plan.hpp"

namespace drawstore::autocorr {
namespace {

constexpr std::size_t tile_rows = 128;  // that stay in the nearest cache

struct Moments {
    double count = 0;
    double mean = 0;     // about the first number of the series
    double squares = 0;  // sum of squares about the mean

    // Joins the moments of two parts (T. F. Chan, G. H. Golub and R. J. LeVeque, Am. Stat. 37, 242,
    // 1983).
    void add(const Moments& part) noexcept {
        const double both = count + part.count;
        const double difference = part.mean - mean;
        mean += difference * (part.count / both);
        squares += part.squares + difference * difference * (count * part.count / both);
        count = both;
    }
};

// Where there are fewer series than columns, each is dealt out to several columns in turn.
std::size_t columns_a_series(const EnsembleView& draws) noexcept {
    const std::size_t n_series = draws.n_walkers * draws.n_params;
    return std::min(draws.n_steps, (row_width + n_series - 1) / n_series);
}

std::vector<Batch> deal_out(const EnsembleView& draws, std::size_t first_step,
                            std::size_t n_steps) {
    const std::size_t n_series = draws.n_walkers * draws.n_params;
    const std::size_t n_dealt = columns_a_series(draws);
    const auto stride = static_cast<std::ptrdiff_t>(n_dealt) * draws.step_stride;
    std::vector<Batch> batches((n_dealt * n_series + row_width - 1) / row_width,
                               Batch(draws.type, stride));
    std::size_t i = 0;
    for (std::size_t turn = 0; turn < n_dealt; ++turn) {
        const std::size_t n_rows = n_steps > turn ? (n_steps - turn - 1) / n_dealt + 1 : 0;
        for (std::size_t walker = 0; walker < draws.n_walkers; ++walker) {
            for (std::size_t param = 0; param < draws.n_params; ++param, ++i) {
                batches[i / row_width].set(i % row_width,
                                           number_at(draws, first_step + turn, walker, param),
                                           n_rows, number_at(draws, 0, walker, param), {});
            }
        }
    }
    return batches;
}

// Adds the moments of one tile of a batch to those of its series.
void add_tile(const Kernel& kernel, const Batch& batch, std::size_t first_row, std::size_t n_rows,
              double* rows, Moments* moments) {
    // The sums are about the tile's own first row: a start far away costs no digits later.
    double offset[row_width];
    double sum[row_width];
    double squares[row_width];
    batch.pack(kernel, first_row, 1, rows);
    std::copy_n(rows, row_width, offset);
    batch.pack_differences(kernel, first_row, n_rows, rows);
    kernel.sums(rows, n_rows, sum, squares);
    const auto count = static_cast<double>(n_rows);
    for (std::size_t i = 0; i < row_width; ++i) {
        if (batch.n_rows(i) <= first_row) continue;
        const double mean = sum[i] / count;
        moments[i].add({count, offset[i] + mean, squares[i] - sum[i] * mean});
    }
}

std::vector<Moments> moments_of(const Kernel& kernel, const EnsembleView& draws,
                                std::size_t first_step, std::size_t n_steps) {
    const std::vector<Batch> batches = deal_out(draws, first_step, n_steps);
    std::vector<Moments> dealt(batches.size() * row_width);
    Rows rows(tile_rows);
    for (std::size_t row = 0; row < batches.front().n_rows(); row += tile_rows) {
        for (std::size_t b = 0; b < batches.size(); ++b) {
            const std::size_t end = std::min(batches[b].n_rows(), row + tile_rows);
            for (std::size_t first = row; first < end;) {
                const std::size_t n = std::min(end, batches[b].next_end(first)) - first;
                add_tile(kernel, batches[b], first, n, rows.data(), &dealt[b * row_width]);
                first += n;
            }
        }
    }
    const std::size_t n_series = draws.n_walkers * draws.n_params;
    std::vector<Moments> moments(dealt.begin(),
                                 dealt.begin() + static_cast<std::ptrdiff_t>(n_series));
    for (std::size_t i = n_series; i < n_series * columns_a_series(draws); ++i) {
        if (dealt[i].count > 0) moments[i % n_series].add(dealt[i]);
    }
    return moments;
}

}  // namespace

std::vector<Normalisation> normalisations(const Kernel& kernel, const EnsembleView& draws,
                                          std::size_t n_threads) {
    const std::size_t n_series = draws.n_walkers * draws.n_params;
    if (n_series == 0) return {};
    // A part is long enough to be worth a thread.
    const std::size_t n_parts = std::clamp<std::size_t>(
        draws.n_steps / (columns_a_series(draws) * tile_rows), 1, n_threads);
    std::vector<std::vector<Moments>> parts(n_parts);
    std::atomic<std::size_t> next{0};
    in_threads(n_parts, [&](std::size_t) {
        for (std::size_t p = next++; p < n_parts; p = next++) {
            const std::size_t start = draws.n_steps / n_parts * p;
            const std::size_t end =
                p + 1 == n_parts ? draws.n_steps : draws.n_steps / n_parts * (p + 1);
            parts[p] = moments_of(kernel, draws, start, end - start);
        }
    });
    std::vector<Normalisation> all(n_series);
    for (std::size_t i = 0; i < n_series; ++i) {
        Moments& moments = parts[0][i];
        for (std::size_t p = 1; p < n_parts; ++p) moments.add(parts[p][i]);
        // Equal numbers differ by exactly nothing, so a constant series is known by its zero.
        const bool varies = moments.squares > 0 && std::isfinite(moments.squares);
        const double scale =
            varies ? 1 / std::sqrt(moments.squares) : std::numeric_limits<double>::quiet_NaN();
        all[i] = {scale, -moments.mean * scale};
    }
    return all;
}

}  // namespace drawstore::autocorr
