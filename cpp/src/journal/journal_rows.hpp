// Rows in the segments of a journal.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "drawstore/rows.hpp"
#include "file/record.hpp"
#include "journal/segments.hpp"

namespace drawstore {

namespace journal {

// Rows of one chain in one segment. The segment is free again when nobody has this any more, if the
// rows are not needed; else it stays what it is in the file.
struct Stretch {
    Stretch(std::shared_ptr<Segments> segments, std::unique_ptr<Segment> segment,
            std::uint64_t first_row);
    ~Stretch();
    Stretch(const Stretch&) = delete;
    Stretch& operator=(const Stretch&) = delete;

    const std::shared_ptr<Segments> segments;
    std::unique_ptr<Segment> segment;
    const std::uint64_t first_row;
    const std::uint32_t generation;
    const std::uint32_t seed;
    std::atomic<std::uint32_t> n_rows{0};        // committed
    std::atomic<std::size_t> end{first_record};  // of their records
    std::atomic<bool> is_needed{false};
};

}  // namespace journal

// One thread appends, any thread reads and releases. Rows are read as copies, and what is being
// read stays until it was.
class JournalRows final : public Rows {
  public:
    JournalRows(std::vector<Column> columns, std::shared_ptr<journal::Segments> segments,
                const journal::Id& id, std::string label, std::uint64_t first_row,
                std::uint32_t previous_sum);
    ~JournalRows() override;

    std::uint64_t released() const noexcept {
        return counts_->released.load(std::memory_order_acquire);
    }
    std::uint64_t synced() const noexcept {
        return counts_->synced.load(std::memory_order_acquire);
    }
    std::uint32_t sum_of(std::uint64_t row) const;
    void release(std::uint64_t row);
    void discard();

    std::uint64_t size() const override { return counts_->size.load(std::memory_order_acquire); }
    void begin() override;
    Slots room(std::uint64_t at_most, std::span<const std::size_t> item_bytes) override;
    void commit() override;
    void abandon() noexcept override;
    void announce(std::uint64_t) override {}  // segments serve any number of rows
    Span read(std::size_t column, std::uint64_t start, std::uint64_t stop,
              std::uint64_t step) const override;
    Items read_items(std::size_t column, std::uint64_t start, std::uint64_t stop,
                     std::uint64_t step) const override;
    void copy(std::uint64_t start, std::uint64_t stop,
              std::span<const Target> targets) const override;
    void flush(bool sync) override;
    void close() override;
    std::uint64_t bytes() const override;  // of the rows that wait

  private:
    using Stretch = journal::Stretch;

    // Rows of a transaction that are in one stretch: those that end here.
    struct Part {
        std::shared_ptr<Stretch> stretch;
        std::size_t end = 0;
        std::uint32_t n_rows = 0;  // of the stretch, with the earlier ones
    };

    // Rows [first, stop) in one stretch, kept for as long as they are read. Without memory they are
    // in the file.
    struct Kept {
        std::shared_ptr<const Stretch> stretch;
        std::shared_ptr<const std::byte> memory;
        std::uint64_t first;
        std::uint64_t stop;
    };

    // What is there of the records from a row on; a copy where they are in the file only.
    struct Records {
        std::shared_ptr<const std::byte> owner;
        const std::byte* at;
    };

    void take_segment(std::size_t stride);
    void go_on(Part part);
    void prepare(const Part& part, std::uint64_t& row, const std::byte*& last);
    static void publish(const Part& part);
    static void take_back(const Part& part) noexcept;
    void hold();
    void retire() noexcept;
    void stop_appending();
    std::vector<std::shared_ptr<Stretch>> drop();

    // With the lock held.
    std::vector<Kept> find(std::uint64_t start, std::uint64_t stop) const;
    std::vector<Kept> keep(std::uint64_t start, std::uint64_t stop) const;
    Records records_of(const Kept& kept) const;
    template <typename Copy>
    void visit(std::uint64_t start, std::uint64_t stop, std::uint64_t step, Copy&& copy) const;

    const std::shared_ptr<journal::Segments> segments_;
    const std::shared_ptr<journal::Counts> counts_;
    const std::string label_;
    const file::RecordLayout records_;
    const std::uint32_t columns_sum_;
    std::atomic<bool> appending_{false};
    std::atomic<bool> closed_{false};

    // The writer's own.
    Part current_;            // the stretch at hand, with rows that are not committed
    std::vector<Part> full_;  // those that a transaction has filled before
    std::size_t committed_end_ = journal::first_record;  // of records in the last stretch
    std::uint64_t pending_ = 0;                          // rows of the transaction
    std::size_t n_taken_ = 0;  // segments so far, up to those of full size
    std::vector<std::byte*> columns_;
    std::vector<std::size_t> strides_;

    mutable std::mutex mutex_;  // guards what follows; not taken where a row is appended
    std::deque<std::shared_ptr<Stretch>> stretches_;
    std::uint32_t released_sum_;  // of the row before released()
    bool is_discarded_ = false;
};

}  // namespace drawstore
