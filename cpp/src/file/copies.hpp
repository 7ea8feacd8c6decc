// What reads of rows that lie in a file give: copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "drawstore/rows.hpp"
#include "file/bytes.hpp"

namespace drawstore::file {

// Memory for n rows. Throws MemoryError.
std::shared_ptr<std::byte> allocate(std::uint64_t n, std::uint64_t bytes);

// How many rows start, start + step, ... there are before stop.
constexpr std::uint64_t count_rows(std::uint64_t start, std::uint64_t stop, std::uint64_t step) {
    return start < stop ? (stop - start - 1) / step + 1 : 0;
}

// The first row of start, start + step, ... that is not before `row`.
constexpr std::uint64_t first_from(std::uint64_t row, std::uint64_t start, std::uint64_t step) {
    return row <= start ? start : start + round_up(row - start, step);
}

// Copies of items, each aligned for any type.
class ItemList {
  public:
    void add(std::span<const std::byte> item);
    std::byte* make(std::size_t bytes);  // of an item that the caller fills
    void add(const ItemList& others);
    Rows::Items take() && { return {std::move(pieces_), std::move(items_)}; }

  private:
    using Pieces = std::vector<std::shared_ptr<std::byte>>;

    std::shared_ptr<Pieces> pieces_ = std::make_shared<Pieces>();
    std::span<std::byte> left_;
    std::vector<std::span<const std::byte>> items_;
};

}  // namespace drawstore::file
