#include "buffer/block.hpp"

#include <algorithm>
#include <string>

#include "drawstore/error.hpp"

namespace drawstore {
namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::size_t gib = 1024 * mib;

// Below this a plain allocation serves better: thousands of small buffers must not each take a
// mapping, of which a process has 65,530.
constexpr std::size_t reserve_from = 4 * mib;
constexpr std::size_t huge_page = 2 * mib;
constexpr std::size_t huge_from = 2 * huge_page;
constexpr std::size_t ahead_factor = 64;
constexpr std::size_t ahead_at_least = 1 * gib;
constexpr std::size_t small_page = 4 * kib;
constexpr std::uint64_t unbounded = std::uint64_t{1} << 62;

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
    return (value + to - 1) / to * to;
}

}  // namespace

Block::Block(std::span<const std::size_t> row_bytes, std::uint64_t first_row)
    : row_bytes_(row_bytes.begin(), row_bytes.end()),
      columns_(row_bytes.size(), nullptr),
      first_row_(first_row) {
    for (const std::size_t bytes : row_bytes_) row_total_ += bytes;
}

Block::~Block() = default;

std::shared_ptr<Block> Block::make(std::span<const std::size_t> row_bytes, std::uint64_t first_row,
                                   std::uint64_t rows, Growth growth) {
    std::shared_ptr<Block> block(new Block(row_bytes, first_row));
    if (block->row_total_ > 0 && rows > unbounded / block->row_total_) {
        throw MemoryError(std::to_string(rows) + " rows of " + std::to_string(block->row_total_) +
                          " bytes are more than there are addresses");
    }
    if (block->row_total_ * rows >= reserve_from && block->reserve(rows, growth)) return block;
    if (block->allocate(rows)) return block;
    throw MemoryError("the system refused memory for " + std::to_string(rows) + " rows of " +
                      std::to_string(block->row_total_) + " bytes; all earlier rows are kept");
}

bool Block::reserve(std::uint64_t rows, Growth growth) noexcept {
    const std::size_t slack = columns_.size() * huge_page;
    const std::size_t needed = row_total_ * rows + slack;
    std::size_t wanted = needed;
    if (growth == Growth::Expected && Pages::may_reserve_ahead()) {
        wanted =
            std::max(ahead_factor * std::min(needed, unbounded / ahead_factor), ahead_at_least);
    }
    while (!pages_) {
        pages_ = Pages::reserve(wanted);
        if (!pages_ && wanted == needed) return false;
        if (!pages_) wanted = std::max(needed, wanted / 4);
    }
    capacity_ = (pages_.size() - slack) / row_total_;
    place(pages_.data(), row_total_ * capacity_ >= slack ? huge_page : small_page);
    return true;
}

bool Block::allocate(std::uint64_t rows) noexcept {
    capacity_ = row_total_ == 0 ? unbounded : rows;
    std::size_t bytes = alignment;
    for (const std::size_t row : row_bytes_) bytes += round_up(row * capacity_, alignment);
    plain_.reset(
        static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment}, std::nothrow)));
    if (!plain_) return false;
    place(plain_.get(), alignment);
    return true;
}

void Block::place(std::byte* data, std::size_t column_alignment) noexcept {
    std::size_t offset = 0;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        columns_[c] = data + offset;
        offset += round_up(row_bytes_[c] * capacity_, column_alignment);
    }
}

void Block::expect(std::uint64_t rows) noexcept {
    if (!pages_) return;
    rows = std::min(rows, capacity_);
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        const std::size_t bytes = row_bytes_[c] * rows;
        if (bytes < huge_from) continue;
        const auto column = static_cast<std::size_t>(columns_[c] - pages_.data());
        const std::size_t from = round_up(column, huge_page);
        const std::size_t until = std::min(round_up(column + bytes, huge_page), pages_.size());
        if (from < until) pages_.prefer_huge(from, until - from);
    }
}

void Block::set_written(std::uint64_t rows) noexcept { pages_.set_touched(rows * row_total_); }

}  // namespace drawstore
