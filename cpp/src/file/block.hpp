// Immutable blocks of rows, each column contiguous: what a data file is made of behind its tail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "drawstore/rows.hpp"
#include "file/bytes.hpp"
#include "file/file.hpp"
#include "file/record.hpp"

namespace drawstore::file {

// A block of a file, as the index of its readers has it.
struct BlockRef {
    std::uint64_t offset = 0;
    std::uint64_t first_row = 0;
    std::uint64_t n_rows = 0;
};

// Where the columns of a block lie, from its beginning:
//
//   0  "drawblck"
//   8  u64 number of the first row
//   16 u64 number of rows, n
//   24 u64 bytes of the block, a multiple of 4096
//   32 u64 for each ragged column the bytes of its items
//   .. u32 CRC-32C of the file's id and of what is before
//   then the columns, each at a multiple of 16: n values, or (n + 1) u64 at which the items begin
//   and end, and the items; and behind that the CRC-32C of the column.
class BlockLayout {
  public:
    // Items of ragged columns have `item_bytes[c]` bytes in all (empty where nothing is ragged).
    BlockLayout(std::span<const Rows::Column> columns, std::uint64_t n_rows,
                std::span<const std::uint64_t> item_bytes);

    static std::size_t head_bytes(std::size_t n_ragged) noexcept { return 32 + 8 * n_ragged + 4; }

    std::uint64_t bytes() const noexcept { return bytes_; }
    std::uint64_t offset(std::size_t column) const noexcept { return offsets_[column]; }
    std::uint64_t column_bytes(std::size_t column) const noexcept {  // without the checksum
        return sizes_[column];
    }

  private:
    std::vector<std::uint64_t> offsets_;
    std::vector<std::uint64_t> sizes_;
    std::uint64_t bytes_ = 0;
};

// Writes blocks. It keeps its memory for the next one, because touching fresh memory costs more
// than copying.
class BlockWriter {
  public:
    BlockWriter(std::span<const Rows::Column> columns, const Id& id);

    // Rows that lie in records, oldest first. Returns the bytes of the block.
    std::uint64_t write_records(File& file, std::uint64_t offset, std::uint64_t first_row,
                                const RecordLayout& layout,
                                std::span<const std::byte* const> records);

    // Room for rows of a block, column by column, or for one row with items of these sizes.
    std::span<std::byte* const> room(std::uint64_t n_rows, std::span<const std::size_t> item_bytes);

    // Writes the rows of the last room(), which the caller has filled.
    std::uint64_t write_room(File& file, std::uint64_t offset, std::uint64_t first_row);

    // Gives memory back that is more than blocks from records need.
    void trim() noexcept;

  private:
    using Records = std::span<const std::byte* const>;

    // Columns from `first` to before `last`, and their bytes from the block's beginning.
    struct Part {
        std::size_t first = 0;
        std::size_t last = 0;
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
    };

    std::byte* resize(std::uint64_t bytes);
    void gather_rigid(const Part& part, const BlockLayout& layout, const RecordLayout& records,
                      Records rows);
    void gather_items(std::size_t column, const Part& part, const BlockLayout& layout,
                      const RecordLayout& records, Records rows);
    void seal(const Part& part, const BlockLayout& layout, const RecordLayout& records,
              Records rows);
    void write_head(const BlockLayout& layout, std::uint64_t first_row, std::uint64_t n_rows);

    const std::vector<Rows::Column> columns_;
    std::vector<std::size_t> ragged_;
    const std::uint32_t seed_;
    std::vector<std::uint64_t> item_bytes_;
    std::unique_ptr<std::byte[]> memory_;
    std::uint64_t capacity_ = 0;
    std::vector<File::Piece> pieces_;
    std::vector<std::byte*> room_;
    std::uint64_t room_rows_ = 0;
};

// Reads blocks. Every method throws DataError where what was stored is not there as it was.
class BlockReader {
  public:
    BlockReader(std::span<const Rows::Column> columns, const Id& id);

    // The block at `offset`, which ends before `end`, and where the next one begins.
    struct Found {
        BlockRef block;
        std::uint64_t next;
    };
    Found find(const File& file, std::uint64_t offset, std::uint64_t end) const;

    // The same for a block whose head is damaged, from what comes behind it: rows from `first_row`
    // on, up to those of the next block whose head is not, or to `end_row`.
    Found find_around(const File& file, std::uint64_t offset, std::uint64_t end,
                      std::uint64_t first_row, std::uint64_t end_row) const;

    // All of a column, into memory that is kept for the next time. Valid until then.
    std::span<const std::byte> column(const File& file, const BlockRef& block, std::size_t column);

    // The same, straight into memory of exactly that size: of a rigid column.
    void column(const File& file, const BlockRef& block, std::size_t column,
                std::span<std::byte> into);

  private:
    struct Head {
        std::uint64_t first_row = 0;
        std::uint64_t n_rows = 0;
        std::uint64_t bytes = 0;
        std::vector<std::uint64_t> item_bytes;  // by column
    };
    Head read_head(const File& file, std::uint64_t offset, std::uint64_t end) const;
    const BlockLayout& layout(const File& file, const BlockRef& block);
    void check(const File& file, const BlockRef& block, std::span<const std::byte> values,
               std::span<const std::byte> sum) const;

    const std::span<const Rows::Column> columns_;  // of the caller
    std::vector<std::size_t> ragged_;
    const std::uint32_t seed_;
    std::vector<std::byte> memory_;
    BlockLayout layout_{{}, 0, {}};  // of the last block that was read
    std::uint64_t layout_rows_ = 0;
};

}  // namespace drawstore::file
