#include "drawstore/chain_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "buffer/block.hpp"
#include "drawstore/error.hpp"

namespace drawstore {
namespace {

constexpr std::size_t first_allocation = 4096;  // bytes, where nothing was announced
constexpr std::size_t max_spare = 2;            // segments that wait for their next use

}  // namespace

ChainBuffer::ChainBuffer(std::vector<Variable> variables, std::optional<Ring> ring)
    : variables_(std::move(variables)), ring_(ring) {
    for (auto it = variables_.begin(); it != variables_.end(); ++it) {
        if (it->name.empty()) throw ValueError("a variable needs a name");
        const auto same = [&](const Variable& other) { return other.name == it->name; };
        if (std::any_of(variables_.begin(), it, same)) {
            throw ValueError("two variables have the name '" + it->name + "'");
        }
        if (it->is_ragged()) {
            throw ValueError(it->describe() +
                             " has draws of different sizes; a chain buffer holds "
                             "draws of one size");
        }
        row_bytes_.push_back(it->row_bytes());
    }
    if (ring_ && ring_->segment_rows == 0) {
        throw ValueError("a ring needs segments of at least one row");
    }
}

ChainBuffer::~ChainBuffer() { give_up_blocks(); }

std::size_t ChainBuffer::find(std::string_view name) const {
    std::string known;
    for (std::size_t i = 0; i < variables_.size(); ++i) {
        if (variables_[i].name == name) return i;
        known += (i ? ", '" : "'") + variables_[i].name + "'";
    }
    throw NameError("there is no variable '" + std::string(name) + "'; there are " + known);
}

std::uint64_t ChainBuffer::first_row() const {
    const std::lock_guard lock(mutex_);
    return blocks_.empty() ? confirmed_ : blocks_.front()->first_row();
}

ChainBuffer::Claim::Claim(ChainBuffer& buffer) : buffer_(buffer) {
    if (buffer.writing_.exchange(true, std::memory_order_acquire)) {
        throw StateError(
            "another thread is appending to this chain; one writer at a time, or a chain a thread");
    }
}

void ChainBuffer::announce(std::uint64_t n_rows) {
    const Claim claim(*this);
    if (n_rows > announced()) announced_.store(n_rows, std::memory_order_relaxed);
    if (!ring_ && n_rows > tail_limit_) {
        try {
            grow_linear(n_rows);
        } catch (const MemoryError&) {
            // What was announced may never come; what comes is allocated as it comes.
        }
    }
}

void ChainBuffer::make_room(std::uint64_t rows) {
    if (ring_) {
        grow_ring(rows);
    } else {
        grow_linear(rows);
    }
}

void ChainBuffer::grow_linear(std::uint64_t rows) {
    const std::uint64_t held = size_.load(std::memory_order_relaxed);
    if (!tail_ || rows > tail_->capacity()) {
        std::uint64_t capacity = rows;
        if (tail_) {
            capacity = std::max(rows, tail_->capacity() + tail_->capacity() / 2);
        } else if (announced() < rows) {
            std::size_t row_total = 1;
            for (const std::size_t bytes : row_bytes_) row_total += bytes;
            capacity = std::max<std::uint64_t>(rows, first_allocation / row_total);
        }
        auto block = Block::make(row_bytes_, 0, capacity, Block::Growth::Expected);
        for (std::size_t c = 0; held > 0 && c < row_bytes_.size(); ++c) {
            std::memcpy(block->at(c, 0), tail_->at(c, 0), row_bytes_[c] * held);
        }
        const std::lock_guard lock(mutex_);
        give_up_blocks();
        tail_ = block.get();
        blocks_.push_back(std::move(block));
    }
    // Huge pages are asked for as far as rows are to be expected, not over all that is reserved.
    tail_limit_ = std::min(std::max({rows, announced(), 2 * held}), tail_->capacity());
    tail_->expect(tail_limit_);
}

void ChainBuffer::grow_ring(std::uint64_t rows) {
    const std::lock_guard lock(mutex_);
    while (blocks_.empty() || blocks_.back()->end_row() < rows) {
        const std::uint64_t first =
            blocks_.empty() ? size_.load(std::memory_order_relaxed) : blocks_.back()->end_row();
        if (ring_->max_segments && blocks_.size() == ring_->max_segments) {
            throw StateError("the ring is full: " + std::to_string(blocks_.size()) +
                             " segments of rows are waiting to be confirmed");
        }
        if (spare_.empty()) {
            blocks_.push_back(
                Block::make(row_bytes_, first, ring_->segment_rows, Block::Growth::None));
            blocks_.back()->expect(ring_->segment_rows);
        } else {
            spare_.back()->recycle(first);
            blocks_.push_back(std::move(spare_.back()));
            spare_.pop_back();
        }
    }
    tail_ = blocks_.back().get();
    tail_limit_ = tail_->end_row();
}

void ChainBuffer::confirm(std::uint64_t row) {
    if (!ring_) throw StateError("only a ring gives rows up when they are confirmed");
    const std::lock_guard lock(mutex_);
    if (row > size()) {
        throw ValueError("row " + std::to_string(row) + " cannot be confirmed: there are " +
                         std::to_string(size()));
    }
    confirmed_ = std::max(confirmed_, row);
    // The newest segment stays, for the writer may be in it.
    while (blocks_.size() > 1 && blocks_.front()->end_row() <= confirmed_) {
        if (blocks_.front().use_count() == 1 && spare_.size() < max_spare) {
            // Whoever gave the last other share up has read before the writer writes again.
            std::atomic_thread_fence(std::memory_order_acquire);
            spare_.push_back(std::move(blocks_.front()));
        }
        blocks_.pop_front();
    }
}

void ChainBuffer::give_up_blocks() noexcept {
    const std::uint64_t held = size_.load(std::memory_order_relaxed);
    for (const auto& block : blocks_) {
        block->set_written(std::min(held - block->first_row(), block->capacity()));
    }
    blocks_.clear();
    tail_ = nullptr;
}

void ChainBuffer::reset() {
    const Claim claim(*this);
    const std::lock_guard lock(mutex_);
    give_up_blocks();
    spare_.clear();
    size_.store(0, std::memory_order_release);
    announced_.store(0, std::memory_order_relaxed);
    confirmed_ = 0;
    tail_limit_ = 0;
}

std::vector<ChainBuffer::Span> ChainBuffer::read(std::size_t column, std::uint64_t start,
                                                 std::uint64_t stop) const {
    const std::lock_guard lock(mutex_);
    const std::uint64_t first = blocks_.empty() ? confirmed_ : blocks_.front()->first_row();
    if (start < first || stop > size() || start > stop) {
        throw ValueError("rows " + std::to_string(start) + " to " + std::to_string(stop) +
                         " are not held; those held are " + std::to_string(first) + " to " +
                         std::to_string(size()));
    }
    std::vector<Span> spans;
    for (const auto& block : blocks_) {
        const std::uint64_t from = std::max(start, block->first_row());
        const std::uint64_t until = std::min(stop, block->end_row());
        if (from < until) {
            spans.push_back({block, block->at(column, from - block->first_row()), until - from});
        }
    }
    return spans;
}

ChainBuffer::Span ChainBuffer::room(std::size_t column) const {
    if (ring_) throw StateError("a ring has no array of all its rows");
    const std::lock_guard lock(mutex_);
    if (blocks_.empty()) return {};
    const std::uint64_t rows = std::max(announced(), size());
    return {blocks_.back(), blocks_.back()->at(column, 0),
            std::min(rows, blocks_.back()->capacity())};
}

ChainBuffer::Append::Append(ChainBuffer& buffer, std::uint64_t n_rows)
    : buffer_(buffer),
      claim_(buffer),
      row_(buffer.size_.load(std::memory_order_relaxed)),
      n_rows_(n_rows) {
    if (n_rows_ > (std::uint64_t{1} << 62) - row_) {
        throw MemoryError(std::to_string(n_rows_) + " rows are more than can be counted");
    }
    if (row_ + n_rows_ > buffer_.tail_limit_) buffer_.make_room(row_ + n_rows_);
}

const Block& ChainBuffer::Append::block_of(std::uint64_t row) const {
    if (row >= buffer_.tail_->first_row()) return *buffer_.tail_;
    const std::lock_guard lock(buffer_.mutex_);
    const auto holds = [row](const auto& block) { return row < block->end_row(); };
    return **std::find_if(buffer_.blocks_.begin(), buffer_.blocks_.end(), holds);
}

std::byte* ChainBuffer::Append::at(std::size_t column, std::uint64_t i) const {
    const Block& block = block_of(row_ + i);
    return block.at(column, row_ + i - block.first_row());
}

std::byte* const* ChainBuffer::Append::columns() const noexcept { return buffer_.tail_->columns(); }

std::uint64_t ChainBuffer::Append::contiguous(std::uint64_t i) const {
    return std::min(block_of(row_ + i).end_row(), row_ + n_rows_) - (row_ + i);
}

}  // namespace drawstore
