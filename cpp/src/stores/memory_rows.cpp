#include "stores/memory_rows.hpp"

#include <cstring>
#include <string>

#include "drawstore/error.hpp"

namespace drawstore {
namespace {

// A chain buffer's columns as it wants them: opaque bytes.
std::vector<Variable> plain(const std::vector<Rows::Column>& columns, std::size_t ragged_bytes) {
    std::vector<Variable> variables;
    for (const Rows::Column& column : columns) {
        Variable variable{std::to_string(variables.size()), {}};
        const std::size_t bytes = column.ragged ? ragged_bytes : column.bytes;
        variable.dtype = {Kind::Opaque, bytes, "bytes"};
        variables.push_back(std::move(variable));
    }
    return variables;
}

}  // namespace

// The bytes of the items of one column. The writer puts items behind those that are committed and
// counts them; the rows that refer to them are committed after.
struct MemoryRows::Heap {
    Heap() : bytes({{"items", {Kind::UInt8, 1, "uint8"}}}) {}

    std::byte* put(std::size_t size) {
        ChainBuffer::Append append(bytes, size);
        append.commit();
        return append.at(0);
    }

    ChainBuffer bytes;
};

MemoryRows::MemoryRows(std::vector<Column> columns)
    : Rows(std::move(columns)), rows_(plain(this->columns(), sizeof(Item))) {
    for (const Column& column : this->columns()) {
        heaps_.push_back(column.ragged ? std::make_unique<Heap>() : nullptr);
        any_ragged_ = any_ragged_ || column.ragged;
    }
    targets_.resize(heaps_.size());
    no_strides_.resize(heaps_.size(), 0);
}

MemoryRows::~MemoryRows() = default;

void MemoryRows::begin() {
    if (closed_.load(std::memory_order_relaxed)) {
        throw StateError("this chain is closed: it takes no more draws");
    }
    if (writing_.exchange(true, std::memory_order_acquire)) {
        throw StateError(
            "another thread is appending to this chain; one writer at a time, or a chain a thread");
    }
}

Rows::Slots MemoryRows::room(std::uint64_t at_most, std::span<const std::size_t> item_bytes) {
    if (!append_) append_.emplace(rows_, at_most);
    if (any_ragged_) return ragged_room(item_bytes);
    const std::uint64_t first = append_->index() + taken_;
    taken_ += at_most;
    return {append_->columns(), append_->strides(), first, at_most};
}

Rows::Slots MemoryRows::ragged_room(std::span<const std::size_t> item_bytes) {
    for (std::size_t c = 0; c < heaps_.size(); ++c) {
        std::byte* row = append_->at(c, taken_);
        if (heaps_[c]) {
            const Item item{heaps_[c]->bytes.size(), item_bytes[c]};
            std::memcpy(row, &item, sizeof item);
            row = item.bytes > 0 ? heaps_[c]->put(item.bytes) : nullptr;
        }
        targets_[c] = row;
    }
    ++taken_;
    return {targets_.data(), no_strides_.data(), 0, 1};
}

void MemoryRows::commit() {
    if (append_) append_->commit();
    abandon();
}

void MemoryRows::abandon() noexcept {
    append_.reset();
    taken_ = 0;
    writing_.store(false, std::memory_order_release);
}

Rows::Span MemoryRows::read(std::size_t column, std::uint64_t start, std::uint64_t stop,
                            std::uint64_t step) const {
    Span span;
    span.stride = rows_.row_bytes(column) * step;
    span.n_rows = (stop - start + step - 1) / step;
    if (start == stop) return span;
    const ChainBuffer::Span rows = rows_.read(column, start, stop).front();
    span.owner = rows.owner;
    span.data = rows.data;
    return span;
}

Rows::Items MemoryRows::read_items(std::size_t column, std::uint64_t start, std::uint64_t stop,
                                   std::uint64_t step) const {
    const Span rows = read(column, start, stop, step);
    const ChainBuffer& heap = heaps_[column]->bytes;
    Items result;
    if (rows.n_rows == 0) return result;
    const auto item_at = [&](std::uint64_t i) {
        Item item;
        std::memcpy(&item, rows.data + i * rows.stride, sizeof item);
        return item;
    };
    const std::uint64_t from = item_at(0).offset;
    const Item last = item_at(rows.n_rows - 1);
    const std::uint64_t until = last.offset + last.bytes;
    const std::byte* data = nullptr;
    if (from < until) {
        const ChainBuffer::Span items = heap.read(0, from, until).front();
        result.owner = items.owner;
        data = items.data;
    }
    for (std::uint64_t i = 0; i < rows.n_rows; ++i) {
        const Item item = item_at(i);
        if (item.bytes == 0) {
            result.items.emplace_back();
        } else {
            result.items.emplace_back(data + (item.offset - from), item.bytes);
        }
    }
    return result;
}

std::uint64_t MemoryRows::bytes() const {
    std::uint64_t bytes = 0;
    for (std::size_t c = 0; c < heaps_.size(); ++c) {
        bytes += size() * rows_.row_bytes(c);
        if (heaps_[c]) bytes += heaps_[c]->bytes.size();
    }
    return bytes;
}

}  // namespace drawstore
