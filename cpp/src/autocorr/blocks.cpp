#include "blocks.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <utility>

#include "parallel.hpp"
#include "plan.hpp"

namespace drawstore::autocorr {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{12} << 20;  // of steps, that stay in the cache
constexpr std::size_t fewest_chunk_blocks = 6;

constexpr std::size_t divide_up(std::size_t a, std::size_t b) noexcept { return (a + b - 1) / b; }

// How the series become columns. Each is cut into `n_segments` segments of whole blocks, and each
// segment of each walker is a strand. Two strands of a parameter are the real and the imaginary
// part of a lane, and the parameters of a walker lie in neighbouring lanes, as in memory.
struct Layout {
    std::size_t n_params;
    std::size_t n_strands;  // of each parameter
    std::size_t n_segments;
    std::size_t segment_blocks;
    std::size_t chunk_blocks = 0;  // of a segment, that all batches go through before the next ones

    std::size_t n_chunks() const noexcept { return divide_up(segment_blocks, chunk_blocks); }
    std::size_t n_pairs() const noexcept { return divide_up(n_strands, 2); }
    std::size_t n_batches() const noexcept { return divide_up(n_pairs() * n_params, lanes); }
    // Each segment reads one block of the next one.
    std::size_t transforms() const noexcept {
        return n_batches() * (segment_blocks + (n_segments > 1 ? 1 : 0));
    }
};

// As many segments as keep the lanes and the threads busy.
Layout lay_out(const EnsembleView& draws, std::size_t n_params, std::size_t block,
               std::size_t n_threads) {
    const std::size_t n_blocks = divide_up(draws.n_steps, block);
    Layout best{};
    std::size_t best_cost = std::numeric_limits<std::size_t>::max();
    for (std::size_t n = 1; n <= std::min(n_blocks, row_width * n_threads); ++n) {
        const Layout layout{n_params, n * draws.n_walkers, n, divide_up(n_blocks, n)};
        const std::size_t rounds = divide_up(layout.n_batches(), n_threads);
        const std::size_t cost = layout.transforms() * rounds / layout.n_batches();
        if (cost < best_cost) {
            best = layout;
            best_cost = cost;
        }
    }
    // A batch reads a few numbers of each step, so the steps that fit into the cache serve all the
    // batches in turn. Each chunk transforms a block of the next one as well: few blocks do not
    // pay.
    const std::size_t block_bytes = block * static_cast<std::size_t>(std::abs(draws.step_stride));
    best.chunk_blocks = chunk_bytes / std::max<std::size_t>(1, block_bytes);
    if (best.n_batches() == 1 || best.chunk_blocks < fewest_chunk_blocks) {
        best.chunk_blocks = best.segment_blocks;
    }
    return best;
}

class BlockedCorrelation {
  public:
    BlockedCorrelation(const Kernel& kernel, const EnsembleView& draws,
                       std::span<const Normalisation> normalisations,
                       std::span<const std::size_t> params, std::size_t block,
                       std::size_t n_threads)
        : kernel_(kernel),
          draws_(draws),
          normalisations_(normalisations),
          params_(params),
          plan_(block),
          layout_(lay_out(draws, params.size(), block, n_threads)) {}

    // How many times add_part is to be called, with each index below.
    std::size_t n_parts() const noexcept { return layout_.n_batches() * layout_.n_chunks(); }

    // A thread's share of the spectra: those of `lanes` parameters at a time.
    using Spectra = std::vector<Rows>;
    Spectra no_spectra() const;

    // The rows that a thread works in.
    struct Workspace {
        explicit Workspace(std::size_t n_rows) : z(n_rows), next(n_rows), spectrum(n_rows) {}
        Rows z, next, spectrum;
    };
    Workspace workspace() const { return Workspace(plan_.n_rows()); }

    // Adds the spectra of one batch in one chunk.
    void add_part(std::size_t index, Workspace& workspace, Spectra& spectra) const;

    // The functions that belong to the sum of all threads' spectra, which are used up.
    std::vector<std::vector<double>> functions(Spectra& sum) const;

    void add(Spectra& sum, Spectra& part) const;

  private:
    Batch batch(std::size_t index) const;

    const Kernel& kernel_;
    const EnsembleView& draws_;
    std::span<const Normalisation> normalisations_;
    std::span<const std::size_t> params_;
    Plan plan_;
    Layout layout_;
};

BlockedCorrelation::Spectra BlockedCorrelation::no_spectra() const {
    Spectra spectra;
    for (std::size_t i = 0; i < divide_up(params_.size(), lanes); ++i) {
        spectra.emplace_back(plan_.n_rows());
        std::fill_n(spectra.back().data(), plan_.n_rows() * row_width, 0.0);
    }
    return spectra;
}

Batch BlockedCorrelation::batch(std::size_t index) const {
    Batch batch(draws_.type, draws_.step_stride);
    const std::size_t n_pairs = layout_.n_pairs();
    for (std::size_t i = 0; i < row_width; ++i) {
        const std::size_t lane = index * lanes + i % lanes;
        const std::size_t pair = lane / params_.size();
        const std::size_t strand = i < lanes ? pair : pair + n_pairs;
        if (pair >= n_pairs || strand >= layout_.n_strands) continue;
        const std::size_t param = params_[lane % params_.size()];
        const std::size_t walker = strand % draws_.n_walkers;
        const std::size_t start =
            strand / draws_.n_walkers * layout_.segment_blocks * plan_.block();
        if (start >= draws_.n_steps) continue;
        batch.set(i, number_at(draws_, start, walker, param), draws_.n_steps - start,
                  number_at(draws_, 0, walker, param),
                  normalisations_[walker * draws_.n_params + param]);
    }
    return batch;
}

void BlockedCorrelation::add_part(std::size_t index, Workspace& workspace, Spectra& spectra) const {
    const std::size_t batch_index = index % layout_.n_batches();
    const std::size_t first = index / layout_.n_batches() * layout_.chunk_blocks;
    const std::size_t end = std::min(first + layout_.chunk_blocks, layout_.segment_blocks);
    const Batch batch = this->batch(batch_index);
    double* z = workspace.z.data();
    double* next = workspace.next.data();
    double* const spectrum = workspace.spectrum.data();
    std::fill_n(spectrum, plan_.n_rows() * row_width, 0.0);
    bool more = batch.transform(kernel_, plan_.twiddles(), first * plan_.block(), z);
    for (std::size_t block = first + 1; more && block <= end; ++block) {
        more = batch.transform(kernel_, plan_.twiddles(), block * plan_.block(), next);
        kernel_.correlate(plan_.block(), z, more ? next : nullptr, spectrum);
        std::swap(z, next);
    }
    for (std::size_t l = 0; l < lanes; ++l) {
        const std::size_t param = (batch_index * lanes + l) % params_.size();
        double* const sum = spectra[param / lanes].data() + param % lanes;
        for (std::size_t i = 0; i < plan_.n_rows() * row_width; i += lanes) {
            sum[i] += spectrum[i + l];
        }
    }
}

void BlockedCorrelation::add(Spectra& sum, Spectra& part) const {
    for (std::size_t g = 0; g < sum.size(); ++g) {
        for (std::size_t i = 0; i < plan_.n_rows() * row_width; ++i) {
            sum[g].data()[i] += part[g].data()[i];
        }
    }
}

std::vector<std::vector<double>> BlockedCorrelation::functions(Spectra& sum) const {
    std::vector<std::vector<double>> functions(params_.size(), std::vector<double>(plan_.block()));
    const double factor = 1 / static_cast<double>(plan_.n_rows() * draws_.n_walkers);
    for (std::size_t g = 0; g < sum.size(); ++g) kernel_.inverse(plan_.twiddles(), sum[g].data());
    for (std::size_t p = 0; p < params_.size(); ++p) {
        const double* const rows = sum[p / lanes].data() + p % lanes;
        for (std::size_t lag = 0; lag < plan_.block(); ++lag) {
            functions[p][lag] = rows[lag * row_width] * factor;
        }
    }
    return functions;
}

}  // namespace

std::vector<std::vector<double>> blocked_correlation(const Kernel& kernel,
                                                     const EnsembleView& draws,
                                                     std::span<const Normalisation> normalisations,
                                                     std::span<const std::size_t> params,
                                                     std::size_t block, std::size_t n_threads) {
    const BlockedCorrelation correlation(kernel, draws, normalisations, params, block, n_threads);
    const std::size_t n_used = std::min(n_threads, correlation.n_parts());
    std::vector<BlockedCorrelation::Spectra> spectra;
    for (std::size_t i = 0; i < n_used; ++i) spectra.push_back(correlation.no_spectra());
    std::atomic<std::size_t> next{0};
    in_threads(n_used, [&](std::size_t thread) {
        auto workspace = correlation.workspace();
        for (std::size_t i = next++; i < correlation.n_parts(); i = next++) {
            correlation.add_part(i, workspace, spectra[thread]);
        }
    });
    for (std::size_t i = 1; i < n_used; ++i) correlation.add(spectra[0], spectra[i]);
    return correlation.functions(spectra[0]);
}

}  // namespace drawstore::autocorr
