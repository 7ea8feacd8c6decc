// One allocation with room for a number of rows of every column.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "memory/pages.hpp"

namespace drawstore {

// Each column lies contiguous in the block, so that a column of it can be handed out as one array.
// Whoever reads a block holds a share of it; its memory goes when the last share goes. Rows are
// never moved inside a block.
class Block {
  public:
    enum class Growth {
        Expected,  // take address space ahead, where the system lets us
        None,      // exactly the rows asked for
    };

    // Throws MemoryError where the system refuses the memory.
    static std::shared_ptr<Block> make(std::span<const std::size_t> row_bytes,
                                       std::uint64_t first_row, std::uint64_t rows, Growth growth);
    ~Block();
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    std::uint64_t first_row() const noexcept { return first_row_; }
    std::uint64_t capacity() const noexcept { return capacity_; }
    std::uint64_t end_row() const noexcept { return first_row_ + capacity_; }

    // Where row `first_row() + i` of a column lies.
    std::byte* at(std::size_t column, std::uint64_t i) const noexcept {
        return columns_[column] + i * row_bytes_[column];
    }

    // Where the columns begin.
    std::byte* const* columns() const noexcept { return columns_.data(); }

    // Says that the first `rows` rows will be filled: asks for huge pages under the columns that
    // are large enough to gain by them.
    void expect(std::uint64_t rows) noexcept;

    // Says how many rows were written, when the block is given up.
    void set_written(std::uint64_t rows) noexcept;

    // Uses the block anew for other rows. Only where nobody else holds a share of it.
    void recycle(std::uint64_t first_row) noexcept { first_row_ = first_row; }

  private:
    struct Free {
        void operator()(std::byte* data) const noexcept {
            ::operator delete(data, std::align_val_t{alignment});
        }
    };
    static constexpr std::size_t alignment = 64;

    Block(std::span<const std::size_t> row_bytes, std::uint64_t first_row);
    bool reserve(std::uint64_t rows, Growth growth) noexcept;
    bool allocate(std::uint64_t rows) noexcept;
    void place(std::byte* data, std::size_t column_alignment) noexcept;

    std::vector<std::size_t> row_bytes_;
    std::size_t row_total_ = 0;
    std::vector<std::byte*> columns_;
    std::uint64_t first_row_;
    std::uint64_t capacity_ = 0;
    Pages pages_;                               // one of these two
    std::unique_ptr<std::byte[], Free> plain_;  // holds the rows
};

}  // namespace drawstore
