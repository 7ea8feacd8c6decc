#include "drawstore/lag_sums.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "blocks.hpp"
#include "dispatch.hpp"
#include "drawstore/error.hpp"
#include "moments.hpp"
#include "parallel.hpp"
#include "plan.hpp"
#include "window.hpp"

namespace drawstore {
namespace {

using namespace autocorr;

constexpr std::size_t longest_direct = 1024;  // more steps than these go through transforms
constexpr std::size_t fewest_chunk_rows = 8192;
constexpr std::size_t first_piece = 64;  // lags, of a search for windows

// A number of any of the three types.
struct Reference {
    alignas(long double) std::byte bytes[sizeof(long double)] = {};

    template <class T>
    void set(const std::byte* first, double mean_about_it) noexcept {
        const T value = *reinterpret_cast<const T*>(first) + static_cast<T>(mean_about_it);
        std::memcpy(bytes, &value, sizeof value);
    }
};

Rows zeros(std::size_t n_rows) {
    Rows rows(n_rows);
    std::fill_n(rows.data(), n_rows * row_width, 0.0);
    return rows;
}

// The series that are the columns of the same rows. All numbers are about their references.
struct Panel {
    explicit Panel(std::size_t n_lags)
        : head(zeros(n_lags)), tail(zeros(n_lags)), products(zeros(n_lags)) {}

    Reference reference[row_width];
    Rows head;      // the first n_lags rows
    Rows tail;      // the last n_lags rows, with zeros before the first
    Rows products;  // row k: the sum of x(t)·x(t-k)
    double sum[row_width] = {};
    bool is_finite[row_width] = {};
};

// The sums of products of each column of `rows`, at lags below `block`, a power of two.
std::vector<std::vector<double>> products_in(const Kernel& kernel, const double* rows,
                                             std::size_t n_rows, std::size_t block) {
    const EnsembleView view{reinterpret_cast<const std::byte*>(rows),
                            Real::float64,
                            n_rows,
                            1,
                            row_width,
                            row_width * sizeof(double),
                            0,
                            sizeof(double)};
    std::vector<Normalisation> as_they_are(row_width);
    std::vector<std::size_t> columns(row_width);
    for (std::size_t i = 0; i < row_width; ++i) {
        as_they_are[i] = {1, rows[i]};
        columns[i] = i;
    }
    return blocked_correlation(kernel, view, as_they_are, columns, block, 1);
}

// Walks along the lags of a panel, and gives the autocovariances of its series.
class Walk {
  public:
    Walk(const Panel& panel, std::size_t n_steps, std::size_t n_lags) noexcept
        : panel_(panel), n_steps_(static_cast<double>(n_steps)), n_lags_(n_lags) {
        for (std::size_t i = 0; i < row_width; ++i) mean_[i] = panel.sum[i] / n_steps_;
    }

    // Σ (x(t)-m)·(x(t-k)-m) of each column, at lags 0, 1, … one after the other:
    // Σ x(t)·x(t-k) - m·(Σ of all but the first k + Σ of all but the last k) + (n-k)·m².
    void next(double* covariances) noexcept {
        const double* const products = panel_.products.data() + lag_ * row_width;
        const double* const head = panel_.head.data() + lag_ * row_width;
        const double* const tail = panel_.tail.data() + (n_lags_ - 1 - lag_) * row_width;
        const double n_pairs = n_steps_ - static_cast<double>(lag_);
        for (std::size_t i = 0; i < row_width; ++i) {
            const double both = 2 * panel_.sum[i] - ends_[i];
            covariances[i] = products[i] - mean_[i] * (both - n_pairs * mean_[i]);
            ends_[i] += head[i] + tail[i];
        }
        ++lag_;
    }

  private:
    const Panel& panel_;
    double n_steps_;
    std::size_t n_lags_;
    std::size_t lag_ = 0;
    double mean_[row_width];
    double ends_[row_width] = {};  // sums of the first and of the last rows, as many as the lag
};

}  // namespace

struct LagSums::State {
    State(std::size_t walkers, std::size_t params, std::size_t lags)
        : n_walkers(walkers), n_params(params), n_lags(lags) {
        const std::size_t n_panels = (n_series() + row_width - 1) / row_width;
        panels.reserve(n_panels);
        for (std::size_t p = 0; p < n_panels; ++p) panels.emplace_back(lags);
    }

    std::size_t n_series() const noexcept { return n_walkers * n_params; }

    void begin(const EnsembleView& draws, std::size_t n_threads);
    Batch batch(const EnsembleView& draws, std::size_t panel) const noexcept;
    void append(const EnsembleView& draws, std::size_t index, Rows& rows, std::size_t chunk_rows);
    void add(Panel& panel, double* history, std::size_t n_rows, bool is_first);

    const Kernel& kernel = best_kernel();
    std::size_t n_walkers;
    std::size_t n_params;
    std::size_t n_lags;  // a multiple of lag_block
    Real type = Real::float64;
    std::size_t n_steps = 0;
    std::vector<Panel> panels;  // of the series, the parameters of a walker side by side
};

// Takes the means of the first draws for references.
void LagSums::State::begin(const EnsembleView& draws, std::size_t n_threads) {
    type = draws.type;
    const std::vector<Normalisation> normal = normalisations(kernel, draws, n_threads);
    for (std::size_t s = 0; s < n_series(); ++s) {
        Panel& panel = panels[s / row_width];
        Reference& reference = panel.reference[s % row_width];
        const std::byte* const first = number_at(draws, 0, s / n_params, s % n_params);
        const double mean = std::isnan(normal[s].scale) ? 0 : -normal[s].shift / normal[s].scale;
        if (type == Real::float32) {
            reference.set<float>(first, mean);
        } else if (type == Real::float64) {
            reference.set<double>(first, mean);
        } else {
            reference.set<long double>(first, mean);
        }
        panel.is_finite[s % row_width] = true;
    }
}

Batch LagSums::State::batch(const EnsembleView& draws, std::size_t panel) const noexcept {
    Batch batch(draws.type, draws.step_stride);
    const std::size_t first = panel * row_width;
    for (std::size_t i = 0; i < std::min(row_width, n_series() - first); ++i) {
        batch.set(i, number_at(draws, 0, (first + i) / n_params, (first + i) % n_params),
                  draws.n_steps, panels[panel].reference[i].bytes, {});
    }
    return batch;
}

// `rows` has room for n_lags + chunk_rows.
void LagSums::State::append(const EnsembleView& draws, std::size_t index, Rows& rows,
                            std::size_t chunk_rows) {
    Panel& panel = panels[index];
    const Batch columns = batch(draws, index);
    double* const history = rows.data();
    double* const added = history + n_lags * row_width;
    std::copy_n(panel.tail.data(), n_lags * row_width, history);
    for (std::size_t done = 0; done < draws.n_steps; done += chunk_rows) {
        const std::size_t n = std::min(chunk_rows, draws.n_steps - done);
        columns.pack(kernel, done, n, added);
        add(panel, history, n, n_steps + done == 0);
        if (n_steps + done < n_lags) {
            const std::size_t at = n_steps + done;
            std::copy_n(added, std::min(n, n_lags - at) * row_width,
                        panel.head.data() + at * row_width);
        }
        std::memmove(history, history + n * row_width, n_lags * row_width * sizeof(double));
    }
    std::copy_n(history, n_lags * row_width, panel.tail.data());
}

// Adds the products of `n_rows` rows, which follow n_lags rows of history, all zeros at first.
void LagSums::State::add(Panel& panel, double* history, std::size_t n_rows, bool is_first) {
    double* const added = history + n_lags * row_width;
    double sum[row_width];
    double squares[row_width];
    kernel.sums(added, n_rows, sum, squares);
    for (std::size_t i = 0; i < row_width; ++i) {
        if (std::isfinite(squares[i])) {
            panel.sum[i] += sum[i];
            continue;
        }
        // Such a series has no time any more, and is not to disturb those beside it.
        panel.is_finite[i] = false;
        for (std::size_t row = 0; row < n_rows; ++row) added[row * row_width + i] = 0;
    }
    double* const products = panel.products.data();
    if (n_rows <= longest_direct) {
        kernel.lag_products(added, n_rows, n_lags, products);
        return;
    }
    // What the history has by itself is there already.
    const std::size_t block = std::bit_ceil(n_lags);
    const auto both =
        products_in(kernel, is_first ? added : history, is_first ? n_rows : n_lags + n_rows, block);
    for (std::size_t i = 0; i < row_width; ++i) {
        for (std::size_t lag = 0; lag < n_lags; ++lag)
            products[lag * row_width + i] += both[i][lag];
    }
    if (is_first) return;
    const auto before = products_in(kernel, history, n_lags, block);
    for (std::size_t i = 0; i < row_width; ++i) {
        for (std::size_t lag = 0; lag < n_lags; ++lag) {
            products[lag * row_width + i] -= before[i][lag];
        }
    }
}

LagSums::LagSums(std::size_t n_walkers, std::size_t n_params, std::size_t n_lags) {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 1024;
    if (n_lags == 0) throw ValueError("the number of lags must be at least 1");
    if (n_lags > most || (n_params > 0 && n_walkers > most / n_params)) {
        throw ValueError("there cannot be so many lags, walkers or parameters");
    }
    const std::size_t whole_blocks = (n_lags + lag_block - 1) / lag_block * lag_block;
    state_ = std::make_unique<State>(n_walkers, n_params, whole_blocks);
}

LagSums::~LagSums() = default;
LagSums::LagSums(LagSums&&) noexcept = default;
LagSums& LagSums::operator=(LagSums&&) noexcept = default;

std::size_t LagSums::n_steps() const noexcept { return state_->n_steps; }
std::size_t LagSums::n_lags() const noexcept { return state_->n_lags; }

void LagSums::append(const EnsembleView& draws, std::size_t n_threads) {
    State& state = *state_;
    if (n_threads == 0) throw ValueError("threads must be at least 1");
    if (draws.n_walkers != state.n_walkers || draws.n_params != state.n_params) {
        throw ValueError(
            "the draws are those of another ensemble: expected " + std::to_string(state.n_walkers) +
            " walkers and " + std::to_string(state.n_params) + " parameters, got " +
            std::to_string(draws.n_walkers) + " and " + std::to_string(draws.n_params));
    }
    if (draws.n_steps == 0) return;
    if (state.n_steps == 0) {
        state.begin(draws, n_threads);
    } else if (draws.type != state.type) {
        throw ValueError("the draws are of another type than those before them");
    }
    const std::size_t chunk_rows =
        std::min(draws.n_steps, std::max(fewest_chunk_rows, 4 * std::bit_ceil(state.n_lags)));
    std::atomic<std::size_t> next{0};
    in_threads(std::clamp<std::size_t>(state.panels.size(), 1, n_threads), [&](std::size_t) {
        Rows rows(state.n_lags + chunk_rows);
        for (std::size_t p = next++; p < state.panels.size(); p = next++) {
            state.append(draws, p, rows, chunk_rows);
        }
    });
    state.n_steps += draws.n_steps;
}

std::optional<std::vector<double>> LagSums::integrated_time(double c) const {
    const State& state = *state_;
    if (state.n_steps == 0) throw ValueError("there are no steps to correlate");
    const std::size_t n_usable = std::min(state.n_lags, state.n_steps);
    std::vector<Walk> walks;
    for (const Panel& panel : state.panels) walks.emplace_back(panel, state.n_steps, state.n_lags);

    // At lag 0 the autocovariance is what the function is normalised by.
    std::vector<double> covariances(state.panels.size() * row_width);
    const auto walk_on = [&] {
        for (std::size_t p = 0; p < walks.size(); ++p) walks[p].next(&covariances[p * row_width]);
    };
    walk_on();
    std::vector<double> scales(state.n_series());
    std::vector<bool> is_defined(state.n_params, state.n_walkers > 0);
    for (std::size_t s = 0; s < state.n_series(); ++s) {
        scales[s] = 1 / (covariances[s] * static_cast<double>(state.n_walkers));
        const bool is_finite = state.panels[s / row_width].is_finite[s % row_width];
        if (!is_finite || !(covariances[s] > 0)) is_defined[s % state.n_params] = false;
    }
    std::vector<double> tau(state.n_params, std::numeric_limits<double>::quiet_NaN());
    std::vector<std::vector<double>> functions(state.n_params);
    std::vector<std::size_t> open;  // parameters without an answer
    for (std::size_t param = 0; param < state.n_params; ++param) {
        if (!is_defined[param]) continue;
        open.push_back(param);
        functions[param].push_back(1);
    }
    for (std::size_t lag = 1, end = std::min(first_piece, n_usable); !open.empty();
         end = std::min(2 * end, n_usable)) {
        for (; lag < end; ++lag) {
            walk_on();
            for (const std::size_t param : open) {
                double rho = 0;
                for (std::size_t s = param; s < state.n_series(); s += state.n_params) {
                    rho += covariances[s] * scales[s];
                }
                functions[param].push_back(rho);
            }
        }
        std::erase_if(open, [&](std::size_t param) {
            const auto time = windowed_time(functions[param], state.n_steps, c);
            if (time) tau[param] = *time;
            return time.has_value();
        });
        if (end == n_usable) break;
    }
    if (!open.empty()) return std::nullopt;
    return tau;
}

}  // namespace drawstore
