// One row as a run of bytes with its number and a checksum: what the tail of a file is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "drawstore/rows.hpp"
#include "file/bytes.hpp"

namespace drawstore::file {

// Where the columns of a row are in its record. A record begins at a multiple of 16:
//
//   u64 number of the row
//   u32 bytes that follow this head
//   u32 CRC-32C, begun with a seed, of number, bytes and what follows
//   rigid columns in order, each at its alignment; for ragged ones the bytes of the item, u32
//   the items of ragged columns in order, each at the alignment of its column
class RecordLayout {
  public:
    static constexpr std::size_t head_bytes = 16;
    static constexpr std::uint64_t max_bytes = std::uint64_t{1} << 31;

    explicit RecordLayout(std::span<const Rows::Column> columns);

    bool any_ragged() const noexcept { return !ragged_.empty(); }
    std::size_t n_columns() const noexcept { return offsets_.size(); }

    // Of a rigid column in a record, and of the size of an item of a ragged one.
    std::size_t offset(std::size_t column) const noexcept { return offsets_[column]; }
    std::span<const std::size_t> offsets() const noexcept { return offsets_; }

    // From one record to the next, where all columns are rigid.
    std::size_t stride() const noexcept { return stride_; }

    // From this record to the next, with items of these sizes.
    std::uint64_t stride(std::span<const std::size_t> item_bytes) const noexcept;

    // Writes the sizes of the items, and tells where each of them goes.
    void place_items(std::byte* record, std::span<const std::size_t> item_bytes,
                     std::span<std::byte*> places) const noexcept;

    // Zeros what no column has, so that the bytes behind the head are a function of the row.
    void clear_gaps(std::byte* record, std::span<const std::size_t> item_bytes) const noexcept;

    // Writes number and checksum of a record whose columns are filled.
    static void seal(std::byte* record, std::size_t stride, std::uint64_t row,
                     std::uint32_t seed) noexcept;

    // How far the next record is, or nothing where this is not the whole record of that row.
    std::optional<std::size_t> check(std::span<const std::byte> record, std::uint64_t row,
                                     std::uint32_t seed) const noexcept;

    // The same where it is not known which columns there are: their places are not looked at.
    static std::optional<std::size_t> check_sum(std::span<const std::byte> record,
                                                std::uint64_t row, std::uint32_t seed) noexcept;

    // CRC-32C of what follows the head, of one that was checked: it is the same wherever the row
    // is.
    static std::uint32_t row_sum(const std::byte* record) noexcept;

    // How far the next record is, of one that was checked.
    static std::size_t stride_of(const std::byte* record) noexcept {
        return head_bytes + load<std::uint32_t>(record + 8);
    }

    // The item of a ragged column, of one that was checked.
    std::span<const std::byte> item(const std::byte* record, std::size_t column) const noexcept;

  private:
    struct Gap {
        std::size_t begin;
        std::size_t bytes;
    };
    struct Ragged {
        std::size_t column;
        std::size_t alignment;
    };

    std::vector<std::size_t> offsets_;
    std::vector<Gap> gaps_;  // between the rigid columns, and behind them where all are rigid
    std::vector<Ragged> ragged_;
    std::size_t fixed_end_ = head_bytes;
    std::size_t stride_ = 0;
};

// The seed of the checksums in a tail of that generation: records of an earlier one, and of other
// files, do not have it.
std::uint32_t record_seed(const Id& id, std::uint32_t generation) noexcept;

}  // namespace drawstore::file
