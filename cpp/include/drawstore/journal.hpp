// A journal keeps the newest rows of chains until a slower store has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drawstore/chain.hpp"
#include "drawstore/file_backend.hpp"
#include "drawstore/meta.hpp"

namespace drawstore {

class JournalRows;
namespace journal {
class Segments;
struct Known;
struct Piece;
}  // namespace journal

using JournalId = std::array<std::byte, 16>;

// A chain whose rows are in a journal: those from released() to size(), by their numbers in the
// store. Threads as for Chain; any thread may release. What is read is a copy.
class JournalChain : public Chain {
  public:
    JournalChain(std::shared_ptr<const RunMeta> meta, std::uint32_t chain_number,
                 std::unique_ptr<JournalRows> rows);

    // Rows before released() are gone; those before synced() survive a loss of power.
    std::uint64_t released() const noexcept;
    std::uint64_t synced() const noexcept;

    // Bytes of the rows that wait, about.
    std::uint64_t waiting_bytes() const;

    // CRC-32C of a row, which does not depend on where it is: of one from released() on, or of the
    // one before. Throws StateError for others.
    std::uint32_t sum_of(std::uint64_t row) const;

    // Says that the store holds the rows before `row` so that they survive a loss of power.
    void release(std::uint64_t row);

    // Forgets all rows, and refuses further ones.
    void discard();

  private:
    JournalRows& rows_;
};

// One file of recycled segments, in which any number of chains keep their rows; or memory that is
// recycled alike. Once an append returns, the row survives the death of the process; after sync(),
// a loss of power. FORMAT.md says what is in the file.
//
// Any thread may call any method. A forked child may do nothing with a journal or its chains.
class Journal {
  public:
    struct Options {
        std::size_t segment_bytes = 0;  // 0: by the size of the rows
        TailStore store = TailStore::Auto;
        double sync_interval = 1.0;  // seconds from an append to a sync; 0: never by itself
    };

    // Throws SystemError where there is such a file already: see JournalScan.
    Journal(const std::filesystem::path& path, Options options);
    explicit Journal(Options options);  // in memory

    // A chain goes on at `first_row`; `previous_sum` is the sum of the row before it. The label
    // names the chain in messages. Throws StateError where rows of a chain of that id wait already.
    std::shared_ptr<JournalChain> begin_chain(const JournalId& id, std::string label,
                                              std::shared_ptr<const RunMeta> meta,
                                              std::uint32_t chain_number, std::uint64_t first_row,
                                              std::uint32_t previous_sum);

    // Makes all rows durable that were committed before the call. Nobody who appends waits for it.
    void sync();

    // Refuses further rows of all chains; with `remove`, the file goes: nothing waits in it.
    void close(bool remove);

    bool is_mapped() const noexcept;
    std::uint64_t bytes() const;  // of all segments, used and free

  private:
    const std::shared_ptr<journal::Segments> segments_;
};

// What is in the file of a journal that this process does not write. Nothing is changed. A process
// may write it meanwhile: then this is what it held at one moment, unless load() says otherwise.
class JournalScan {
  public:
    // Rows of one chain, without a gap. Where a process ended, a chain has one piece. There are
    // more after a loss of power, where damage lies between, and of a journal that is written
    // meanwhile: rows that the store has long since, and rows behind others that are lost. Only the
    // piece that knows the last row of the store goes on there.
    class Piece {
      public:
        const JournalId& id() const noexcept;
        const std::string& label() const noexcept;
        std::uint64_t first() const noexcept;
        std::uint64_t stop() const noexcept;
        std::uint32_t previous_sum() const noexcept;  // of the row before the first

        // Sum of the row before this one; nothing where it is not known.
        std::optional<std::uint32_t> sum_before(std::uint64_t row) const;

        // What is wrong behind its rows; empty where nothing is.
        const std::string& damage() const noexcept;

      private:
        friend class JournalScan;
        explicit Piece(std::shared_ptr<const journal::Piece> piece) : piece_(std::move(piece)) {}
        std::shared_ptr<const journal::Piece> piece_;
    };

    // Rows that are `known` from an earlier scan of this journal are not read again; those of
    // another one do no harm. Throws SystemError where the file cannot be read. Damage is told of,
    // not thrown.
    explicit JournalScan(const std::filesystem::path& path,
                         const std::shared_ptr<const journal::Known>& known = nullptr);

    // For the next scan. It does not keep the file open.
    const std::shared_ptr<const journal::Known>& known() const noexcept { return known_; }

    // Zeros where the file is not a journal, or was only being made.
    const JournalId& id() const noexcept { return id_; }
    const std::vector<Piece>& pieces() const noexcept { return pieces_; }

    // What is wrong with the file; empty where nothing is.
    const std::string& damage() const noexcept { return damage_; }

    // Rows of a chain in memory, which become rows 0, 1, ... there. Throws DataError where they are
    // not in the journal, or not of this run, StateError where they were recycled meanwhile.
    std::shared_ptr<Chain> load(const JournalId& id, std::shared_ptr<const RunMeta> meta,
                                std::uint32_t chain_number, std::uint64_t start,
                                std::uint64_t stop) const;

  private:
    JournalId id_{};
    std::shared_ptr<const journal::Known> known_;
    std::vector<Piece> pieces_;
    std::string damage_;
};

}  // namespace drawstore
