#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "file/block.hpp"
#include "file/header.hpp"

namespace drawstore::file {
namespace {

constexpr std::string_view magic = "drawblck";
constexpr std::size_t sum_bytes = sizeof(std::uint32_t);

}  // namespace

BlockReader::BlockReader(std::span<const Rows::Column> columns, const Id& id)
    : columns_(columns), seed_(crc32c(id)) {
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        if (columns_[c].ragged) ragged_.push_back(c);
    }
}

BlockReader::Head BlockReader::read_head(const File& file, std::uint64_t offset,
                                         std::uint64_t end) const {
    const std::string where = "the block at byte " + std::to_string(offset);
    std::vector<std::byte> bytes(BlockLayout::head_bytes(ragged_.size()));
    if (file.read(offset, bytes) < bytes.size()) fail_damaged(file, "it ends within " + where);
    const std::span sum_of(bytes.data(), bytes.size() - sum_bytes);
    if (std::memcmp(bytes.data(), magic.data(), magic.size()) != 0 ||
        load<std::uint32_t>(bytes.data() + sum_of.size()) != crc32c(sum_of, seed_)) {
        fail_damaged(file, where + " does not have the checksum that is written in it");
    }
    Head head{load<std::uint64_t>(bytes.data() + 8), load<std::uint64_t>(bytes.data() + 16),
              load<std::uint64_t>(bytes.data() + 24), std::vector<std::uint64_t>(columns_.size())};
    for (std::size_t i = 0; i < ragged_.size(); ++i) {
        head.item_bytes[ragged_[i]] = load<std::uint64_t>(bytes.data() + 32 + 8 * i);
    }
    if (head.bytes > end - offset) fail_damaged(file, where + " is larger than the file tells");
    return head;
}

BlockReader::Found BlockReader::find(const File& file, std::uint64_t offset,
                                     std::uint64_t end) const {
    const Head head = read_head(file, offset, end);
    return {{offset, head.first_row, head.n_rows}, offset + head.bytes};
}

BlockReader::Found BlockReader::find_around(const File& file, std::uint64_t offset,
                                            std::uint64_t end, std::uint64_t first_row,
                                            std::uint64_t end_row) const {
    std::uint64_t next = offset + page;
    for (std::array<std::byte, magic.size()> begin; next < end; next += page) {
        if (file.read(next, begin) < begin.size()) break;
        if (std::memcmp(begin.data(), magic.data(), magic.size()) != 0) continue;
        try {
            end_row = read_head(file, next, end).first_row;
            break;
        } catch (const DataError&) {
            // It is damaged, too, or no head.
        }
    }
    next = std::min(next, end);
    const bool is_rigid = ragged_.empty();
    if (end_row <= first_row ||
        (is_rigid && BlockLayout(columns_, end_row - first_row, {}).bytes() != next - offset)) {
        fail_damaged(file, "the block at byte " + std::to_string(offset) +
                               " does not have the checksum that is written in it");
    }
    return {{offset, first_row, end_row - first_row}, next};
}

const BlockLayout& BlockReader::layout(const File& file, const BlockRef& block) {
    if (!ragged_.empty()) {
        const Head head = read_head(file, block.offset, file.size());
        layout_ = BlockLayout(columns_, block.n_rows, head.item_bytes);
    } else if (block.n_rows != layout_rows_) {
        layout_ = BlockLayout(columns_, block.n_rows, {});
        layout_rows_ = block.n_rows;
    }
    return layout_;
}

void BlockReader::check(const File& file, const BlockRef& block, std::span<const std::byte> values,
                        std::span<const std::byte> sum) const {
    if (load<std::uint32_t>(sum.data()) != crc32c(values)) {
        fail_damaged(file, "values of the rows " + std::to_string(block.first_row) + " to " +
                               std::to_string(block.first_row + block.n_rows) +
                               " do not have the checksum that is written with them");
    }
}

std::span<const std::byte> BlockReader::column(const File& file, const BlockRef& block,
                                               std::size_t column) {
    const BlockLayout& layout = this->layout(file, block);
    memory_.resize(layout.column_bytes(column) + sum_bytes);
    if (file.read(block.offset + layout.offset(column), memory_) < memory_.size()) {
        fail_damaged(file, "it ends within a block");
    }
    const auto values = std::span<const std::byte>(memory_).first(memory_.size() - sum_bytes);
    check(file, block, values, std::span(memory_).last(sum_bytes));
    return values;
}

void BlockReader::column(const File& file, const BlockRef& block, std::size_t column,
                         std::span<std::byte> into) {
    const std::uint64_t at = block.offset + layout(file, block).offset(column);
    std::array<std::byte, sum_bytes> sum;
    if (file.read(at, into) < into.size() || file.read(at + into.size(), sum) < sum.size()) {
        fail_damaged(file, "it ends within a block");
    }
    check(file, block, into, sum);
}

}  // namespace drawstore::file
