// The columns of an answer, found in its bytes and checked, not copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "clickhouse/schema.hpp"

namespace drawstore::clickhouse {

// What is asked for. Where a count is given, each row of the array has so many elements.
struct Expected {
    Column column;
    std::optional<std::uint64_t> count = std::nullopt;
};

// The rows of a column in one block.
struct Piece {
    std::uint64_t n_rows;
    const std::byte* ends;            // of the rows, counted in elements; null where no array
    std::span<const std::byte> data;  // of the elements

    // Where the elements of a row end; they begin where those of the row before do.
    std::uint64_t end(std::uint64_t row) const noexcept;
};

struct Received {
    std::uint64_t n_rows = 0;
    std::vector<std::vector<Piece>> columns;  // block by block
};

// Throws DataError, which names column and row, where the bytes are not whole blocks of these
// columns. Whatever the bytes are, a row takes at least one of them in each column.
Received receive(std::span<const std::byte> answer, const std::vector<Expected>& expected);

// "row 3 of column 'x'".
std::string describe(std::uint64_t row, const Column& column);

}  // namespace drawstore::clickhouse
