// Rows of a chain as blocks of ClickHouse's Native format, and the way back. CLICKHOUSE.md says
// what the columns of a table are. Nothing here talks to a server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "drawstore/chain.hpp"
#include "drawstore/meta.hpp"

namespace drawstore {

namespace clickhouse {
struct Schema;
}

// The table of one run. Its columns follow from the run's variables and stats alone, so whoever has
// the RunMeta makes the same ones.
//
// It never changes; any thread may call any method.
class ClickHouseTable {
  public:
    struct Column {
        std::string name;  // as it is: to be quoted where it stands in a query
        std::string type;  // one that ClickHouse has had since 2018

        bool operator==(const Column&) const = default;
    };

    // One block, which holds rows first() to stop() - 1 of one chain. Copies share the bytes.
    class Block {
      public:
        std::span<const std::byte> bytes() const noexcept { return bytes_; }
        std::uint64_t first() const noexcept { return first_; }
        std::uint64_t stop() const noexcept { return stop_; }

      private:
        friend class ClickHouseTable;
        std::shared_ptr<const std::byte> memory_;
        std::span<const std::byte> bytes_;
        std::uint64_t first_ = 0;
        std::uint64_t stop_ = 0;
    };

    // What a server takes as one piece, whatever its version and its settings.
    static constexpr std::uint64_t most_rows = 1'000'000;
    static constexpr std::size_t most_bytes = 16'000'000;

    // Throws ValueError as Layout does.
    explicit ClickHouseTable(const RunMeta& meta);

    // Field f of the layout is what encode() and decode() call so.
    const Layout& layout() const noexcept;

    // All columns, for CREATE TABLE: "chain", "draw", those of the fields, and where there are
    // stats, "missing".
    std::vector<Column> columns() const;

    // The columns to SELECT for these fields, in this order.
    std::vector<Column> columns_of(std::span<const std::size_t> fields) const;

    // How many of the rows from `first` on, before `stop`, make a block of at most so many bytes;
    // at least one, where there is one.
    std::uint64_t rows_fitting(const Chain& chain, std::uint64_t first, std::uint64_t stop,
                               std::size_t max_bytes = most_bytes) const;

    // Committed rows as a block. It lacks the column "missing" where nothing is missing: the
    // server fills in its default. Throws ValueError where the chain has other variables, or
    // fewer rows; else what Rows::read() throws.
    Block encode(const Chain& chain, std::uint64_t first, std::uint64_t stop) const;

    // What columns_of(fields) gave, SELECTed in FORMAT Native: any number of blocks, one behind the
    // other. Gives the numbers of the draws, and then the fields, row by row as the server
    // ordered them. Throws DataError, which names column and row, where the answer is not whole,
    // or not of this table.
    std::vector<Draws> decode(std::span<const std::byte> answer,
                              std::span<const std::size_t> fields) const;

  private:
    std::shared_ptr<const clickhouse::Schema> schema_;
};

}  // namespace drawstore
