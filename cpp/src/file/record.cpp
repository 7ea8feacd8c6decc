#include "file/record.hpp"

#include <array>

#include "drawstore/checksum.hpp"

namespace drawstore::file {

RecordLayout::RecordLayout(std::span<const Rows::Column> columns) {
    std::size_t end = head_bytes;
    for (std::size_t c = 0; c < columns.size(); ++c) {
        const Rows::Column& column = columns[c];
        end = round_up(end, column.ragged ? sizeof(std::uint32_t) : column.alignment);
        offsets_.push_back(end);
        end += column.ragged ? sizeof(std::uint32_t) : column.bytes;
        if (column.ragged) ragged_.push_back({c, column.alignment});
    }
    fixed_end_ = end;
    stride_ = round_up(end, column_alignment);
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

std::optional<std::size_t> RecordLayout::check(std::span<const std::byte> record, std::uint64_t row,
                                               std::uint32_t seed) const noexcept {
    if (record.size() < fixed_end_ || load<std::uint64_t>(record.data()) != row) {
        return std::nullopt;
    }
    const std::size_t stride = stride_of(record.data());
    if (stride < stride_ || stride > record.size() || stride % column_alignment != 0) {
        return std::nullopt;
    }
    const std::uint32_t head = crc32c(record.first(head_bytes - 4), seed);
    const std::uint32_t sum = crc32c(record.subspan(head_bytes, stride - head_bytes), head);
    if (load<std::uint32_t>(record.data() + 12) != sum) return std::nullopt;
    std::uint64_t end = fixed_end_;
    for (const auto& [column, alignment] : ragged_) {
        end = round_up(end, alignment) + load<std::uint32_t>(record.data() + offsets_[column]);
    }
    return round_up(end, column_alignment) == stride ? std::optional(stride) : std::nullopt;
}

std::uint32_t record_seed(const Id& id, std::uint32_t generation) noexcept {
    std::array<std::byte, 4> bytes;
    store(bytes.data(), generation);
    return crc32c(bytes, crc32c(id));
}

}  // namespace drawstore::file
