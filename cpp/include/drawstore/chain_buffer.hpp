// The chain buffer: typed, append-only rows and one committed count.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "drawstore/variable.hpp"

namespace drawstore {

class Block;

// Rows of the variables of one chain, in memory.
//
// Threads: one thread appends at a time; a second one that tries meanwhile gets a StateError and
// changes nothing. Any thread may read, at any time, also while rows are appended: a reader sees
// whole rows only.
//
// Lifetimes: a Span keeps the memory it shows. It stays valid, and its rows stay what they were,
// whatever is appended, reset or destroyed later.
//
// Without a ring all rows stay, each variable is one contiguous array, and growth neither copies
// nor moves: address space is taken ahead. Buffers of less than a few MiB, and systems that refuse
// to reserve, grow by doubling instead. With a ring the rows lie in segments of equal size, and a
// segment is used again once all its rows are confirmed.
class ChainBuffer {
  public:
    struct Ring {
        std::uint64_t segment_rows = 0;
        std::uint64_t max_segments = 0;  // 0: as many as the unconfirmed rows need
    };

    // Some rows of one variable, contiguous in memory.
    struct Span {
        std::shared_ptr<const void> owner;
        std::byte* data = nullptr;
        std::uint64_t n_rows = 0;
    };

    class Append;

    // Throws ValueError for a variable without a name, a name that comes twice, a draw that is
    // too large, a ring of no rows.
    explicit ChainBuffer(std::vector<Variable> variables, std::optional<Ring> ring = std::nullopt);
    ~ChainBuffer();
    ChainBuffer(const ChainBuffer&) = delete;
    ChainBuffer& operator=(const ChainBuffer&) = delete;

    const std::vector<Variable>& variables() const noexcept { return variables_; }
    std::size_t row_bytes(std::size_t column) const noexcept { return row_bytes_[column]; }
    bool is_ring() const noexcept { return ring_.has_value(); }

    // The number of a variable. Throws NameError, which lists the names there are.
    std::size_t find(std::string_view name) const;

    // Committed rows since the last reset; rows [first_row(), size()) are held.
    std::uint64_t size() const noexcept { return size_.load(std::memory_order_acquire); }
    std::uint64_t first_row() const;

    // Says that the buffer is to hold n_rows rows in all. Only guides allocation: more and fewer
    // rows are welcome. The writer calls it.
    void announce(std::uint64_t n_rows);
    std::uint64_t announced() const noexcept { return announced_.load(std::memory_order_relaxed); }

    // Rows [start, stop) of a column, in order; a ring gives one span a segment. Throws ValueError
    // for rows that are not held.
    std::vector<Span> read(std::size_t column, std::uint64_t start, std::uint64_t stop) const;

    // All the rows that were announced, also those not committed, whose values are undefined: for
    // an adapter whose users fill arrays in place. Not for rings.
    Span room(std::size_t column) const;

    // Ring: rows before `row` are held elsewhere now; their segments may be used again.
    void confirm(std::uint64_t row);

    // Starts again at no rows. The writer calls it.
    void reset();

  private:
    // The right to write, held for the life of the object. Throws StateError where it is taken.
    class Claim {
      public:
        explicit Claim(ChainBuffer& buffer);
        ~Claim() { buffer_.writing_.store(false, std::memory_order_release); }
        Claim(const Claim&) = delete;
        Claim& operator=(const Claim&) = delete;

      private:
        ChainBuffer& buffer_;
    };

    void make_room(std::uint64_t rows);
    void grow_linear(std::uint64_t rows);
    void grow_ring(std::uint64_t rows);
    void give_up_blocks() noexcept;

    const std::vector<Variable> variables_;
    std::vector<std::size_t> row_bytes_;
    const std::optional<Ring> ring_;

    std::atomic<std::uint64_t> size_{0};
    std::atomic<bool> writing_{false};
    std::atomic<std::uint64_t> announced_{0};

    // The writer's own: the newest block, and the row up to which it may be filled as it is.
    Block* tail_ = nullptr;
    std::uint64_t tail_limit_ = 0;

    mutable std::mutex mutex_;  // guards what follows, for readers; never held while copying rows
    std::deque<std::shared_ptr<Block>> blocks_;
    std::vector<std::shared_ptr<Block>> spare_;
    std::uint64_t confirmed_ = 0;
};

// The right to append n rows, held by one thread from construction to destruction. The caller
// writes the rows to where at() says and commits; rows that are not committed are as if they had
// never been written. Constructing throws StateError where another thread holds the right or a
// bounded ring is full, and MemoryError where there is no room: the buffer is then as it was.
class ChainBuffer::Append {
  public:
    explicit Append(ChainBuffer& buffer, std::uint64_t n_rows = 1);

    // The number of the first of the rows.
    std::uint64_t row() const noexcept { return row_; }

    // Where the i-th of the rows goes in a column, and how many of the rows, from it on, fit there
    // contiguously.
    std::byte* at(std::size_t column, std::uint64_t i = 0) const;
    std::uint64_t contiguous(std::uint64_t i) const;

    // The same for all columns at once: row i of column c goes to columns()[c] + (index() + i) *
    // strides()[c]. Not for rings.
    std::byte* const* columns() const noexcept;
    const std::size_t* strides() const noexcept { return buffer_.row_bytes_.data(); }
    std::uint64_t index() const noexcept { return row_; }

    void commit() noexcept { buffer_.size_.store(row_ + n_rows_, std::memory_order_release); }

  private:
    const Block& block_of(std::uint64_t row) const;

    ChainBuffer& buffer_;
    const Claim claim_;
    const std::uint64_t row_;
    const std::uint64_t n_rows_;
};

}  // namespace drawstore
