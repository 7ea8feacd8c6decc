// Where the rows of a chain lie: columns in memory, or a data file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace drawstore {

// Append-only rows of some columns, and one committed count.
//
// Threads: one thread appends at a time, from begin() to commit() or abandon(); a second one gets a
// StateError and changes nothing. Any thread may read at any time, and sees committed rows only.
//
// A rigid column has the same number of bytes in each row. A ragged one has an item of any number
// of bytes.
class Rows {
  public:
    struct Column {
        std::size_t bytes = 0;  // of one row, where it is rigid
        bool ragged = false;
        std::size_t alignment = 1;  // that the writer wants, a power of two, at most 16
    };

    // Room for the next rows: row i of column c goes to at(c, i). Valid until the next room(),
    // commit() or abandon().
    struct Slots {
        std::byte* const* columns = nullptr;
        const std::size_t* strides = nullptr;
        std::uint64_t first = 0;
        std::uint64_t n_rows = 0;

        std::byte* at(std::size_t column, std::uint64_t i = 0) const noexcept {
            return columns[column] + (first + i) * strides[column];
        }
    };

    // Rows of a rigid column, at data + i * stride, kept by the owner: never changed, never moved.
    struct Span {
        std::shared_ptr<const void> owner;
        const std::byte* data = nullptr;
        std::size_t stride = 0;
        std::uint64_t n_rows = 0;
    };

    // Items of a ragged column, kept by the owner.
    struct Items {
        std::shared_ptr<const void> owner;
        std::vector<std::span<const std::byte>> items;
    };

    // Where rows of a rigid column go, one behind the other.
    struct Target {
        std::size_t column = 0;
        std::byte* to = nullptr;
    };

    // From begin() to commit(), or to abandon() where it is not reached.
    class Transaction;

    explicit Rows(std::vector<Column> columns) : columns_(std::move(columns)) {}
    virtual ~Rows() = default;
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    const std::vector<Column>& columns() const noexcept { return columns_; }

    // Committed rows. Where another process writes them, it grows by refresh().
    virtual std::uint64_t size() const = 0;
    virtual void refresh() {}

    // Takes the right to append. Throws StateError where another thread has it, or where nothing
    // may be appended: after close(), in a forked child, in a read-only store.
    virtual void begin() = 0;

    // Room for 1 to `at_most` more rows; the caller fills all the rows it is given. The first call
    // after begin() says by `at_most` how many rows there will be until commit(). Where there are
    // ragged columns it is one row, and item_bytes[c] says how large its item of column c is (0 for
    // rigid columns; the span is empty where all are rigid). Where an item has 0 bytes its pointer
    // must not be written to. Throws MemoryError or SystemError where there is no room, and then
    // the caller abandons.
    virtual Slots room(std::uint64_t at_most, std::span<const std::size_t> item_bytes) = 0;

    // Makes all rows since begin() visible, all or none, and gives the right back, also where it
    // throws; then they are abandoned.
    virtual void commit() = 0;

    // Forgets them, and gives the right back.
    virtual void abandon() noexcept = 0;

    // Says how many rows there will be in all. Only guides allocation.
    virtual void announce(std::uint64_t n_rows) = 0;

    // Rows start, start + step, ... before stop, all of them committed: start <= stop <= size(),
    // step >= 1. Throws DataError where what was stored is damaged.
    virtual Span read(std::size_t column, std::uint64_t start, std::uint64_t stop,
                      std::uint64_t step) const = 0;
    virtual Items read_items(std::size_t column, std::uint64_t start, std::uint64_t stop,
                             std::uint64_t step) const = 0;

    // Copies rows start, start + 1, ... before stop of several rigid columns. Throws like read().
    virtual void copy(std::uint64_t start, std::uint64_t stop,
                      std::span<const Target> targets) const;

    // Delivers what is committed to where it is kept; with `sync` so that it survives loss of
    // power.
    virtual void flush(bool sync) = 0;

    // Flushes and refuses further rows; reading goes on. Closing twice is fine.
    virtual void close() = 0;

    // Bytes that the rows take, on disk or in memory.
    virtual std::uint64_t bytes() const = 0;

  private:
    const std::vector<Column> columns_;
};

class Rows::Transaction {
  public:
    explicit Transaction(Rows& rows) : rows_(rows) { rows_.begin(); }
    ~Transaction() {
        if (open_) rows_.abandon();
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    void commit() {
        open_ = false;
        rows_.commit();
    }

  private:
    Rows& rows_;
    bool open_ = true;
};

}  // namespace drawstore
