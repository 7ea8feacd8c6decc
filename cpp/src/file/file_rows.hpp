// Rows in a data file, as FORMAT.md describes it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "drawstore/rows.hpp"
#include "file/block.hpp"
#include "file/file.hpp"
#include "file/header.hpp"
#include "file/record.hpp"
#include "file/syncer.hpp"
#include "file/tail.hpp"

namespace drawstore {

// A row is appended to the tail of the file; a full tail becomes a block. Many rows at once, and
// rows that are larger than the tail, go straight to blocks.
//
// Any number of processes may read a file while one writes it. A reader knows the rows of its last
// refresh().
class FileRows final : public Rows {
  public:
    struct Options {
        TailStore tail = TailStore::Auto;
        std::size_t tail_bytes = 0;                 // 0: chosen by the size of a row
        std::optional<file::Id> id = std::nullopt;  // of a new file; else random
        double sync_interval = 1;  // seconds until rows are durable; 0 or less: never by itself
    };

    // A new file, which this object writes. Null where there is a file of that name.
    static std::unique_ptr<FileRows> create(const std::filesystem::path& path,
                                            std::uint32_t chain_number, std::vector<Column> columns,
                                            Options options);

    // A file that is there: throws StateError where it is to be written and another process or
    // handle does so, DataError where it is not whole. What came after the last sync before a loss
    // of power counts as far as it is whole.
    static std::unique_ptr<FileRows> open_to_read(const std::filesystem::path& path);
    static std::unique_ptr<FileRows> open_to_write(const std::filesystem::path& path,
                                                   Options options);

    // The number of rows of a file, as of now.
    static std::uint64_t count_rows(const std::filesystem::path& path);

    ~FileRows() override;

    std::uint32_t chain_number() const noexcept { return head_.chain_number; }
    bool may_write() const noexcept { return may_write_; }
    bool is_mapped() const;  // by the writer

    // Takes rows again after close(), as open_to_write() would.
    void reopen();

    // Throws DataError where the file has other columns than these.
    void check_columns(const std::vector<Column>& columns) const;

    std::uint64_t size() const override { return size_.load(std::memory_order_acquire); }
    void refresh() override;
    void begin() override;
    Slots room(std::uint64_t at_most, std::span<const std::size_t> item_bytes) override;
    void commit() override;
    void abandon() noexcept override;
    void announce(std::uint64_t) override {}  // the tail and blocks serve any number of rows
    Span read(std::size_t column, std::uint64_t start, std::uint64_t stop,
              std::uint64_t step) const override;
    Items read_items(std::size_t column, std::uint64_t start, std::uint64_t stop,
                     std::uint64_t step) const override;
    void flush(bool sync) override;
    void close() override;
    std::uint64_t bytes() const override { return file_.size(); }

  private:
    // Rows of a tail, copied.
    struct Snapshot {
        std::uint64_t first_row = 0;
        std::vector<std::byte> bytes;
        std::vector<const std::byte*> records;
    };

    FileRows(file::File file, file::Head head, bool may_write, const Options& options);
    void take_lock(const std::filesystem::path& name);
    void check_process() const;
    void start_writing() { start_writing(file_.path()); }
    void start_writing(const std::filesystem::path& name);
    void stop_writing() noexcept;
    void use_tail(std::uint32_t generation);
    void prepare_tail(std::size_t which);
    void begin_afresh();
    std::uint32_t next_generation();
    void begin_tail(file::Tail& tail, const file::Commit& commit);
    bool needs_sync() const;
    void sync();

    bool is_live() const noexcept;  // the writer, in the process that it began in
    Slots room_in_tail(std::uint64_t at_most, std::size_t stride,
                       std::span<const std::size_t> item_bytes);
    Slots room_in_block(std::uint64_t at_most, std::span<const std::size_t> item_bytes);
    void grow_tail(std::size_t stride);
    void turn_over();
    void write_room();
    void write_pending(const file::Tail& tail, std::size_t from);
    void commit_blocks();
    void collect(const file::Tail& tail, std::size_t from, std::size_t until);

    enum class Verify : std::uint8_t { Heads, All };
    file::Commit find_blocks(const file::Commit& commit, Verify verify) const;
    void extend_index(const file::Commit& commit) const;
    std::shared_ptr<Snapshot> read_tail(const file::Commit& commit, std::uint64_t in_tail) const;
    [[noreturn]] void fail_tail(std::uint64_t row) const;
    std::uint64_t find_tail(file::Commit& commit) const;
    void settle();
    bool try_to_settle(bool is_last_try);
    void load_tail(bool with_rows) const;

    // The blocks that hold some of the rows [start, stop), and the number of the first row that is
    // in the tail. `copy` is called with the record of each row from there on, one by one, and the
    // lock held.
    template <typename Copy>
    std::vector<file::BlockRef> find(std::uint64_t start, std::uint64_t stop, std::uint64_t step,
                                     Copy&& copy) const;

    file::File file_;
    file::File lock_;
    const bool may_write_;
    const Options options_;
    const file::Head head_;
    const file::RecordLayout records_;
    const unsigned fork_generation_;
    const std::uint32_t id_sum_;
    std::size_t row_bytes_ = 0;  // of the rigid columns

    mutable std::atomic<std::uint64_t> size_{0};
    std::atomic<bool> appending_{false};
    std::atomic<bool> closed_{true};  // to rows
    std::atomic<bool> folder_synced_{false};

    // The writer's own.
    std::optional<file::BlockWriter> writer_;
    std::uint32_t seed_ = 0;
    std::size_t used_ = file::Tail::head_bytes;  // of the tail, by committed rows
    std::size_t end_ = file::Tail::head_bytes;   // with those that are not
    std::uint64_t pending_ = 0;                  // rows between the two
    std::uint64_t room_rows_ = 0;                // in a block that was handed out
    std::vector<file::BlockRef> pending_blocks_;
    std::uint64_t pending_rows_ = 0;   // in those
    std::uint64_t pending_end_ = 0;    // of the file with those
    std::vector<std::byte*> columns_;  // in the first record of the tail; in the last, if ragged
    std::vector<std::size_t> record_strides_;
    std::vector<std::size_t> block_strides_;
    std::vector<const std::byte*> rows_;

    bool has_stale_bytes_ = false;  // of rows that did not count in the end
    std::uint32_t generation_jump_ = 1;
    std::optional<file::BackgroundSync> background_;

    std::mutex sync_mutex_;     // held while what is there is made durable; taken before mutex_
    mutable std::mutex mutex_;  // guards what follows; not taken where a row is appended
    std::array<std::optional<file::Tail>, 2> tails_;
    file::Tail* tail_ = nullptr;  // the one in use
    file::Synced synced_;
    std::optional<std::uint32_t> syncing_;  // generation of rows that a sync under way is to cover
    bool syncing_lost_ = false;             // they are in a block now, which it may not cover
    mutable bool is_cut_ = false;           // after a loss of power
    mutable file::Commit commit_;
    mutable std::vector<file::BlockRef> blocks_;
    mutable std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace drawstore
