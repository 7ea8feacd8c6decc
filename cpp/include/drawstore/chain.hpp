// One chain of a run: draws of its variables, and sampler stats, row by row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drawstore/meta.hpp"
#include "drawstore/rows.hpp"
#include "drawstore/value.hpp"

namespace drawstore {

// Where the variables and stats of a chain are in its rows. Field i is column i: first the
// variables, then the stats. Where there are stats, one more column holds a bit for each of them,
// set in rows that lack it (stat s: bit s % 8 of byte s / 8).
class Layout {
  public:
    // Throws ValueError for a variable without a name, and for two of the same name.
    explicit Layout(const RunMeta& meta);

    const std::vector<Variable>& fields() const noexcept { return fields_; }
    std::size_t n_variables() const noexcept { return n_variables_; }
    std::size_t n_stats() const noexcept { return fields_.size() - n_variables_; }
    std::size_t missing_column() const noexcept { return fields_.size(); }
    std::size_t missing_bytes() const noexcept { return (n_stats() + 7) / 8; }
    bool any_ragged() const noexcept { return any_ragged_; }

    // The columns that rows of this layout need.
    std::vector<Rows::Column> columns() const;

    // The number of a field. Throw NameError, which lists the names there are.
    std::size_t find_variable(std::string_view name) const;
    std::size_t find_stat(std::string_view name) const;

  private:
    std::vector<Variable> fields_;
    std::size_t n_variables_;
    bool any_ragged_ = false;
};

// Writes what stands for a stat of fixed size in a row that lacks it: NaN, or zeros.
void fill_missing(const Variable& stat, std::byte* target);

// The rows start, start + step, ... before stop. Clamped to the rows there are.
struct Slice {
    std::uint64_t start = 0;
    std::uint64_t stop = ~std::uint64_t{0};
    std::uint64_t step = 1;
};

// A handle on one chain. Threads as for Rows: one appends at a time, any may read. Every error
// leaves the chain as it was.
class Chain {
  public:
    // The rows have the columns that the run's layout asks for.
    Chain(std::shared_ptr<const RunMeta> meta, std::uint32_t chain_number,
          std::unique_ptr<Rows> rows);

    const RunMeta& meta() const noexcept { return *meta_; }
    std::uint32_t chain_number() const noexcept { return chain_number_; }
    const Layout& layout() const noexcept { return layout_; }
    Rows& rows() const noexcept { return *rows_; }

    // Committed draws; of a chain that another process writes, as of now.
    std::uint64_t size() const;

    // Appends one draw: a value for every variable, and values for any of the stats. Throws
    // ValueError, TypeError, NameError, each of which names the variable, what was expected and
    // what was given.
    void append(const NamedValues& draw, const NamedValues& stats = {});

    // Appends n draws: values with a leading axis of n.
    void extend(std::uint64_t n_draws, const NamedValues& draws, const NamedValues& stats = {});

    // Draws of one variable; without a copy where they lie in memory.
    Draws get_draws(std::string_view name, Slice slice = {}) const;
    Draws get_stats(std::string_view name, Slice slice = {}) const;

    // One draw of some variables, or its stats; without names, of all. Throws ValueError where
    // there is no such draw.
    using Row = std::map<std::string, Draws, std::less<>>;
    Row get_draws_at(std::uint64_t i, const std::vector<std::string_view>& names = {}) const;
    Row get_stats_at(std::uint64_t i, const std::vector<std::string_view>& names = {}) const;

    // Which rows of a slice, which is within the chain, lack the stat of this field; none where no
    // row does.
    std::optional<std::vector<bool>> missing_rows(std::size_t field, Slice slice) const;

    void announce(std::uint64_t n_draws) { rows_->announce(n_draws); }

    // With `sync`, all draws survive a loss of power.
    void flush(bool sync = false) { rows_->flush(sync); }

    // Refuses further draws; reading goes on.
    void close() { rows_->close(); }

  private:
    Draws get_field(std::size_t field, Slice slice) const;
    Row get_row(std::uint64_t i, std::span<const Variable> among,
                std::vector<std::string_view> names,
                Draws (Chain::*get)(std::string_view, Slice) const) const;

    const std::shared_ptr<const RunMeta> meta_;
    const std::uint32_t chain_number_;
    const Layout layout_;
    const std::unique_ptr<Rows> rows_;
};

}  // namespace drawstore
