// The segments of a journal: pieces of its file, or of memory, that are used again and again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "drawstore/file_backend.hpp"
#include "file/file.hpp"
#include "file/mapping.hpp"
#include "file/syncer.hpp"
#include "file/tail.hpp"
#include "journal/format.hpp"

namespace drawstore::journal {

class Segments;

// What has a segment owns it: one thread writes. Offsets are from the word that counts the rows.
class Segment {
  public:
    std::size_t capacity() const noexcept { return bytes_ - head_bytes; }

    // The memory in which rows are made; null where they are in the file only. Keeps it alive.
    const std::shared_ptr<std::byte>& memory() const noexcept { return memory_; }

    // Gets what is kept in the file.
    void read(std::size_t from, std::span<std::byte> into) const;

    // Says what the rows to come are; none of them count yet.
    void begin_use(const Use& use);

    // Puts rows into the file that were made in memory() + [from, until).
    void write(std::size_t from, std::size_t until);

    // Makes rows count. From then on they survive the death of the process.
    void publish(file::TailCount count);

    // Gives memory up that the file can do without.
    void retire() noexcept;

  private:
    friend class Segments;
    Segment(Segments& segments, std::uint64_t offset, std::uint64_t bytes)
        : segments_(segments), offset_(offset), bytes_(bytes) {}
    std::shared_ptr<file::Mapping> get_memory();
    void forget();
    void store_word(std::uint64_t word);

    Segments& segments_;
    const std::uint64_t offset_;
    const std::uint64_t bytes_;
    bool is_mapped_ = false;
    bool is_clear_ = true;  // no rows count
    std::shared_ptr<std::byte> memory_;
};

// How far a chain has got.
struct Counts {
    explicit Counts(const Id& chain, std::uint64_t first_row)
        : id(chain), size(first_row), released(first_row), synced(first_row) {}

    const Id id;
    std::atomic<std::uint64_t> size;
    std::atomic<std::uint64_t> released;
    std::atomic<std::uint64_t> synced;
};

// Any thread may call any method.
class Segments {
  public:
    explicit Segments(std::size_t segment_bytes);  // in memory
    Segments(const std::filesystem::path& path, std::size_t segment_bytes, TailStore store,
             double sync_interval);

    const Id& id() const noexcept { return id_; }
    std::size_t segment_bytes() const noexcept { return segment_bytes_; }
    bool is_mapped() const noexcept { return map_; }
    bool is_in_memory() const noexcept { return !file_; }
    std::uint64_t bytes() const;
    std::string name() const;

    // Throw StateError in a forked child; the second one also where the journal is closed.
    void check_process() const;
    void check_open() const;

    // Throws StateError where another process has taken the journal over. Before each row.
    void check_lock() const { lock_.check_lock(); }
    bool is_of_parent() const noexcept;

    // A segment for at least so many bytes of records, and if it has to be made, for as many as
    // are wanted. Throws SystemError where the disk is full.
    std::unique_ptr<Segment> take(std::size_t least, std::size_t wanted);
    void give_back(std::unique_ptr<Segment> segment) noexcept;

    std::uint32_t next_generation() noexcept { return generation_.fetch_add(1) + 1; }

    // Throws StateError where rows of such a chain wait already.
    std::shared_ptr<Counts> begin(const Id& chain, std::uint64_t first_row);

    // Nothing of the chain waits, and nothing will.
    void end(const Counts& chain) noexcept;

    // Rows of a chain stay in the file although nobody has it any more.
    void keep(const Id& chain) noexcept;

    // Rows of a chain, of so many bytes, count from now on.
    void mark_dirty(std::size_t bytes) noexcept {
        written_.fetch_add(bytes, std::memory_order_relaxed);
        if (background_) background_->mark_dirty();
    }
    void sync();
    void close(bool remove);

  private:
    friend class Segment;
    using Free = std::vector<std::unique_ptr<Segment>>;
    [[noreturn]] void fail_locked() const;
    Free::iterator make(std::uint64_t least, std::uint64_t wanted);
    void make_ready(std::uint64_t bytes);
    void make_ahead() noexcept;
    void watch(std::shared_ptr<file::Mapping> mapping);
    void detach();

    file::File file_;
    file::File lock_;  // a forked child keeps what is mapped, and with it what it is mapped from
    const Id id_;
    const std::uint32_t id_sum_;
    const std::size_t segment_bytes_;
    const unsigned fork_generation_;
    bool map_ = false;
    std::atomic<std::uint32_t> generation_{0};
    std::atomic<bool> closed_{false};
    std::atomic<std::uint64_t> written_{0};  // bytes since the last sync
    bool folder_synced_ = false;             // sync_mutex_ guards it

    std::mutex sync_mutex_;
    mutable std::mutex mutex_;  // guards what follows
    std::uint64_t end_ = 0;     // of the file, or the bytes in memory
    Free free_;
    std::vector<std::weak_ptr<file::Mapping>> mappings_;  // of segments, used or free
    std::vector<std::weak_ptr<Counts>> chains_;
    std::vector<Id> kept_;

    std::atomic<std::uint64_t> ahead_bytes_{0};  // of the segment that is to be made ahead

    // They end first.
    std::optional<file::BackgroundSync> background_;
    std::optional<file::BackgroundSync> growth_;
};

}  // namespace drawstore::journal
