// The first pages of a data file: what it is, which rows are in its blocks, and who writes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drawstore/rows.hpp"
#include "file/bytes.hpp"
#include "file/file.hpp"

namespace drawstore::file {

// Which rows are in blocks. There are two places for it in the file; the newer one that is whole
// counts, so that it changes in one instant.
struct Commit {
    std::uint64_t sequence = 0;
    std::uint64_t block_rows = 0;  // rows in blocks
    std::uint64_t n_blocks = 0;
    std::uint64_t blocks_end = 0;       // where the next block goes
    std::uint32_t tail_generation = 1;  // of the rows in the tail, another one at each commit
};

// What is known to survive a loss of power. There are two places for it, too.
struct Synced {
    Commit commit;
    std::uint32_t in_tail = 0;
    std::size_t place = 0;  // where it was found, or goes

    bool is(const Commit& other, std::uint64_t rows_in_tail) const noexcept {
        return commit.sequence == other.sequence && in_tail == rows_in_tail;
    }
};

// What never changes.
struct Head {
    std::uint32_t version = 2;
    Id id{};
    std::uint32_t chain_number = 0;
    std::vector<Rows::Column> columns;
    std::uint64_t tail_offset = 0;
    std::uint64_t tail_bytes = 0;  // that each tail may have; the first block begins behind

    // Files of version 1 have one tail, and do not tell what is durable.
    bool has_two_tails() const noexcept { return version > 1; }
    std::size_t tail_of(std::uint32_t generation) const noexcept {
        return has_two_tails() ? generation % 2 : 0;
    }
    std::uint64_t tail_begin(std::uint32_t generation) const noexcept {
        return tail_offset + tail_of(generation) * tail_bytes;
    }
    std::uint64_t blocks_begin() const noexcept {
        return tail_offset + (has_two_tails() ? 2 : 1) * tail_bytes;
    }
};

// Makes up the beginning of a new file, as far as the head of its first tail.
std::vector<std::byte> encode(const Head& head, const Commit& commit);

// Throws DataError for what is not a data file, is damaged, or of a newer version.
Head read_head(const File& file);
Commit read_commit(const File& file, const Head& head);

// To be read before the commit records, which are never behind it.
Synced read_synced(const File& file, const Head& head);

// Both counts of a file, as they were at one instant.
struct Counts {
    Commit commit;
    std::uint64_t in_tail = 0;

    std::uint64_t rows() const noexcept { return commit.block_rows + in_tail; }
};
Counts read_counts(const File& file, const Head& head);

void write_commit(File& file, const Head& head, const Commit& commit);
void write_synced(File& file, const Head& head, const Synced& synced);

// The process that holds the file's lock, as it wrote itself down: "process 12 on host 'x'".
void write_holder(File& file);
std::string read_holder(const File& file);

// The sentence for files with something wrong in them.
[[noreturn]] void fail_damaged(const File& file, const std::string& what);

}  // namespace drawstore::file
