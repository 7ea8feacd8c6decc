#include "file/block.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "file/copy.hpp"

namespace drawstore::file {
namespace {

constexpr std::string_view magic = "drawblck";
constexpr std::size_t sum_bytes = sizeof(std::uint32_t);
constexpr std::size_t large = 2048;      // pieces that are written from where they are
constexpr std::uint64_t tile_rows = 64;  // whose lines stay in the nearest cache meanwhile
constexpr std::uint64_t part_bytes = std::uint64_t{128}
                                     << 10;  // of a block, where columns allow it
constexpr std::uint64_t kept_bytes = std::uint64_t{8} << 20;

bool is_large(const Rows::Column& column) noexcept {
    return !column.ragged && column.bytes >= large;
}

}  // namespace

BlockLayout::BlockLayout(std::span<const Rows::Column> columns, std::uint64_t n_rows,
                         std::span<const std::uint64_t> item_bytes) {
    const auto n_ragged = std::ranges::count_if(columns, &Rows::Column::ragged);
    std::uint64_t end = head_bytes(static_cast<std::size_t>(n_ragged));
    offsets_.reserve(columns.size());
    sizes_.reserve(columns.size());
    for (std::size_t c = 0; c < columns.size(); ++c) {
        end = round_up(end, column_alignment);
        offsets_.push_back(end);
        sizes_.push_back(columns[c].ragged ? (n_rows + 1) * 8 + item_bytes[c]
                                           : n_rows * columns[c].bytes);
        end += sizes_.back() + sum_bytes;
    }
    bytes_ = round_up(end, page);
}

BlockWriter::BlockWriter(std::span<const Rows::Column> columns, const Id& id)
    : columns_(columns.begin(), columns.end()),
      seed_(crc32c(id)),
      item_bytes_(columns.size()),
      room_(columns.size()) {
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        if (columns_[c].ragged) ragged_.push_back(c);
    }
}

std::byte* BlockWriter::resize(std::uint64_t bytes) {
    if (bytes > capacity_) {
        memory_.reset();
        capacity_ = 0;
        memory_.reset(new (std::nothrow) std::byte[bytes]);
        if (!memory_) {
            throw MemoryError("the system refused " + std::to_string(bytes) +
                              " bytes of memory for rows on their way to a file");
        }
        capacity_ = bytes;
    }
    return memory_.get();
}

void BlockWriter::trim() noexcept {
    if (capacity_ <= kept_bytes) return;
    memory_.reset();
    capacity_ = 0;
}

void BlockWriter::write_head(const BlockLayout& layout, std::uint64_t first_row,
                             std::uint64_t n_rows) {
    std::byte* const head = memory_.get();
    std::memcpy(head, magic.data(), magic.size());
    store(head + 8, first_row);
    store(head + 16, n_rows);
    store(head + 24, layout.bytes());
    std::byte* at = head + 32;
    for (const std::size_t c : ragged_) {
        store(at, item_bytes_[c]);
        at += 8;
    }
    store(at, crc32c({head, at}, seed_));
}

// A part goes to the file before the next one is made: so the memory stays in the cache, which a
// whole block would drive the records out of.
std::uint64_t BlockWriter::write_records(File& file, std::uint64_t offset, std::uint64_t first_row,
                                         const RecordLayout& records, Records rows) {
    for (const std::size_t c : ragged_) {
        item_bytes_[c] = 0;
        for (const std::byte* const row : rows) item_bytes_[c] += records.item(row, c).size();
    }
    const BlockLayout layout(columns_, rows.size(), item_bytes_);
    const auto begin_of = [&](std::size_t column) {
        return column < columns_.size() ? layout.offset(column) : layout.bytes();
    };
    for (Part part; part.begin < layout.bytes(); part = {part.last, part.last, part.end, 0}) {
        do {
            part.last = std::min(part.last + 1, columns_.size());
            part.end = begin_of(part.last);
        } while (part.last < columns_.size() && begin_of(part.last + 1) - part.begin <= part_bytes);
        resize(part.end - part.begin);
        if (part.begin == 0) write_head(layout, first_row, rows.size());
        gather_rigid(part, layout, records, rows);
        for (const std::size_t c : ragged_) {
            if (c >= part.first && c < part.last) gather_items(c, part, layout, records, rows);
        }
        seal(part, layout, records, rows);
        file.write(offset + part.begin, pieces_);
    }
    return layout.bytes();
}

void BlockWriter::gather_rigid(const Part& part, const BlockLayout& layout,
                               const RecordLayout& records, Records rows) {
    for (std::uint64_t i = 0; i < rows.size(); i += tile_rows) {
        const std::uint64_t in_tile = std::min(tile_rows, rows.size() - i);
        for (std::size_t c = part.first; c < part.last; ++c) {
            if (columns_[c].ragged || is_large(columns_[c])) continue;
            std::byte* const values = memory_.get() + (layout.offset(c) - part.begin);
            gather(values + i * columns_[c].bytes, rows.data() + i, records.offset(c), in_tile,
                   columns_[c].bytes);
        }
    }
}

void BlockWriter::gather_items(std::size_t c, const Part& part, const BlockLayout& layout,
                               const RecordLayout& records, Records rows) {
    std::byte* const offsets = memory_.get() + (layout.offset(c) - part.begin);
    std::byte* const items = offsets + (rows.size() + 1) * 8;
    std::uint64_t end = 0;
    for (std::uint64_t i = 0; i < rows.size(); ++i) {
        const auto item = records.item(rows[i], c);
        store(offsets + i * 8, end);
        if (!item.empty()) std::memcpy(items + end, item.data(), item.size());
        end += item.size();
    }
    store(offsets + rows.size() * 8, end);
}

// Checksums, zeros in the gaps, and what is to be written: the memory, but for large values.
void BlockWriter::seal(const Part& part, const BlockLayout& layout, const RecordLayout& records,
                       Records rows) {
    std::byte* const memory = memory_.get();
    pieces_.clear();
    std::uint64_t written = part.begin;  // by the pieces so far
    std::uint64_t end = part.begin == 0 ? BlockLayout::head_bytes(ragged_.size()) : part.begin;
    for (std::size_t c = part.first; c < part.last; ++c) {
        const std::uint64_t at = layout.offset(c);
        std::memset(memory + (end - part.begin), 0, at - end);
        end = at + layout.column_bytes(c);
        std::uint32_t sum = 0;
        if (is_large(columns_[c])) {
            pieces_.emplace_back(memory + (written - part.begin), at - written);
            for (const std::byte* const row : rows) {
                pieces_.emplace_back(row + records.offset(c), columns_[c].bytes);
                sum = crc32c(pieces_.back(), sum);
            }
            written = end;
        } else {
            sum = crc32c({memory + (at - part.begin), layout.column_bytes(c)});
        }
        store(memory + (end - part.begin), sum);
        end += sum_bytes;
    }
    std::memset(memory + (end - part.begin), 0, part.end - end);
    pieces_.emplace_back(memory + (written - part.begin), part.end - written);
}

std::span<std::byte* const> BlockWriter::room(std::uint64_t n_rows,
                                              std::span<const std::size_t> item_bytes) {
    room_rows_ = n_rows;
    for (const std::size_t c : ragged_) item_bytes_[c] = item_bytes[c];
    const BlockLayout layout(columns_, n_rows, item_bytes_);
    std::byte* const memory = resize(layout.bytes());
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        room_[c] = memory + layout.offset(c);
        if (!columns_[c].ragged) continue;
        store(room_[c], std::uint64_t{0});
        store(room_[c] + 8, item_bytes_[c]);
        room_[c] += 16;
    }
    return room_;
}

std::uint64_t BlockWriter::write_room(File& file, std::uint64_t offset, std::uint64_t first_row) {
    const BlockLayout layout(columns_, room_rows_, item_bytes_);
    std::byte* const memory = memory_.get();
    write_head(layout, first_row, room_rows_);
    std::uint64_t end = BlockLayout::head_bytes(ragged_.size());
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        std::memset(memory + end, 0, layout.offset(c) - end);
        end = layout.offset(c) + layout.column_bytes(c);
        store(memory + end, crc32c({memory + layout.offset(c), layout.column_bytes(c)}));
        end += sum_bytes;
    }
    std::memset(memory + end, 0, layout.bytes() - end);
    file.write(offset, File::Piece(memory, layout.bytes()));
    return layout.bytes();
}

}  // namespace drawstore::file
