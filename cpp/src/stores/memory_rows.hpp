// Rows of one chain in memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "drawstore/chain_buffer.hpp"
#include "drawstore/rows.hpp"

namespace drawstore {

// Each rigid column is one contiguous array. The items of a ragged column lie one behind the other
// in a heap of their own, and its rows say where.
class MemoryRows final : public Rows {
  public:
    explicit MemoryRows(std::vector<Column> columns);
    ~MemoryRows() override;

    std::uint64_t size() const override { return rows_.size(); }
    void begin() override;
    Slots room(std::uint64_t at_most, std::span<const std::size_t> item_bytes) override;
    void commit() override;
    void abandon() noexcept override;
    void announce(std::uint64_t n_rows) override { rows_.announce(n_rows); }
    Span read(std::size_t column, std::uint64_t start, std::uint64_t stop,
              std::uint64_t step) const override;
    Items read_items(std::size_t column, std::uint64_t start, std::uint64_t stop,
                     std::uint64_t step) const override;
    void flush(bool) override {}
    void close() override { closed_.store(true, std::memory_order_relaxed); }
    std::uint64_t bytes() const override;

    // Takes rows again after close().
    void reopen() { closed_.store(false, std::memory_order_relaxed); }

  private:
    struct Item {
        std::uint64_t offset;
        std::uint64_t bytes;
    };
    struct Heap;

    Slots ragged_room(std::span<const std::size_t> item_bytes);

    ChainBuffer rows_;
    std::vector<std::unique_ptr<Heap>> heaps_;  // by column; null where it is rigid
    bool any_ragged_ = false;
    std::atomic<bool> writing_{false};
    std::atomic<bool> closed_{false};

    // The writer's own, between begin() and commit().
    std::optional<ChainBuffer::Append> append_;
    std::uint64_t taken_ = 0;
    std::vector<std::byte*> targets_;
    std::vector<std::size_t> no_strides_;
};

}  // namespace drawstore
