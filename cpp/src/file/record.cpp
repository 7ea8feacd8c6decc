#include "file/record.hpp"

#include <array>
#include <cstring>

#include "drawstore/checksum.hpp"

namespace drawstore::file {

RecordLayout::RecordLayout(std::span<const Rows::Column> columns) {
    std::size_t end = head_bytes;
    for (std::size_t c = 0; c < columns.size(); ++c) {
        const Rows::Column& column = columns[c];
        const std::size_t begin =
            round_up(end, column.ragged ? sizeof(std::uint32_t) : column.alignment);
        if (begin > end) gaps_.push_back({end, begin - end});
        offsets_.push_back(end = begin);
        end += column.ragged ? sizeof(std::uint32_t) : column.bytes;
        if (column.ragged) ragged_.push_back({c, column.alignment});
    }
    fixed_end_ = end;
    stride_ = round_up(end, column_alignment);
    if (ragged_.empty() && stride_ > end) gaps_.push_back({end, stride_ - end});
}

std::uint64_t RecordLayout::stride(std::span<const std::size_t> item_bytes) const noexcept {
    std::uint64_t end = fixed_end_;
    for (const auto& [column, alignment] : ragged_) {
        end = round_up(end, alignment) + std::min<std::uint64_t>(item_bytes[column], max_bytes);
    }
    return round_up(end, column_alignment);
}

void RecordLayout::place_items(std::byte* record, std::span<const std::size_t> item_bytes,
                               std::span<std::byte*> places) const noexcept {
    std::size_t end = fixed_end_;
    for (const auto& [column, alignment] : ragged_) {
        end = round_up(end, alignment);
        places[column] = record + end;
        end += item_bytes[column];
        store(record + offsets_[column], static_cast<std::uint32_t>(item_bytes[column]));
    }
}

std::span<const std::byte> RecordLayout::item(const std::byte* record,
                                              std::size_t column) const noexcept {
    std::size_t end = fixed_end_;
    for (const Ragged& ragged : ragged_) {
        end = round_up(end, ragged.alignment);
        const std::size_t bytes = load<std::uint32_t>(record + offsets_[ragged.column]);
        if (ragged.column == column) return {record + end, bytes};
        end += bytes;
    }
    return {};
}

void RecordLayout::seal(std::byte* record, std::size_t stride, std::uint64_t row,
                        std::uint32_t seed) noexcept {
    store(record, row);
    store(record + 8, static_cast<std::uint32_t>(stride - head_bytes));
    const std::uint32_t head = crc32c({record, head_bytes - 4}, seed);
    store(record + 12, crc32c({record + head_bytes, stride - head_bytes}, head));
}

void RecordLayout::clear_gaps(std::byte* record,
                              std::span<const std::size_t> item_bytes) const noexcept {
    for (const auto& [begin, bytes] : gaps_) std::memset(record + begin, 0, bytes);
    if (ragged_.empty()) return;
    std::size_t end = fixed_end_;
    const auto clear_until = [&](std::size_t begin) {
        std::memset(record + end, 0, begin - end);
        end = begin;
    };
    for (const auto& [column, alignment] : ragged_) {
        clear_until(round_up(end, alignment));
        end += item_bytes[column];
    }
    clear_until(round_up(end, column_alignment));
}

std::uint32_t RecordLayout::row_sum(const std::byte* record) noexcept {
    return crc32c({record + head_bytes, stride_of(record) - head_bytes});
}

std::optional<std::size_t> RecordLayout::check_sum(std::span<const std::byte> record,
                                                   std::uint64_t row, std::uint32_t seed) noexcept {
    if (record.size() < head_bytes || load<std::uint64_t>(record.data()) != row) {
        return std::nullopt;
    }
    const std::size_t stride = stride_of(record.data());
    if (stride > record.size() || stride % column_alignment != 0) return std::nullopt;
    const std::uint32_t head = crc32c(record.first(head_bytes - 4), seed);
    const std::uint32_t sum = crc32c(record.subspan(head_bytes, stride - head_bytes), head);
    return load<std::uint32_t>(record.data() + 12) == sum ? std::optional(stride) : std::nullopt;
}

std::optional<std::size_t> RecordLayout::check(std::span<const std::byte> record, std::uint64_t row,
                                               std::uint32_t seed) const noexcept {
    const std::optional<std::size_t> stride = check_sum(record, row, seed);
    if (!stride || *stride < stride_) return std::nullopt;
    std::uint64_t end = fixed_end_;
    for (const auto& [column, alignment] : ragged_) {
        end = round_up(end, alignment) + load<std::uint32_t>(record.data() + offsets_[column]);
    }
    return round_up(end, column_alignment) == *stride ? stride : std::nullopt;
}

std::uint32_t record_seed(const Id& id, std::uint32_t generation) noexcept {
    std::array<std::byte, 4> bytes;
    store(bytes.data(), generation);
    return crc32c(bytes, crc32c(id));
}

}  // namespace drawstore::file
