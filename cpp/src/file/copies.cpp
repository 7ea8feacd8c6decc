#include "file/copies.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "drawstore/error.hpp"

namespace drawstore::file {
namespace {

constexpr std::size_t piece = 64 * 1024;

}  // namespace

std::shared_ptr<std::byte> allocate(std::uint64_t n, std::uint64_t bytes) {
    constexpr std::uint64_t most = std::uint64_t{1} << 62;
    void* const memory =
        bytes > 0 && n > most / bytes ? nullptr : ::operator new(n * bytes, std::nothrow);
    if (!memory) {
        throw MemoryError("the system refused memory for " + std::to_string(n) + " rows of " +
                          std::to_string(bytes) + " bytes");
    }
    return {static_cast<std::byte*>(memory), [](std::byte* p) { ::operator delete(p); }};
}

std::byte* ItemList::make(std::size_t item_bytes) {
    const std::size_t bytes = round_up(item_bytes, column_alignment);
    if (bytes > left_.size()) {
        const std::size_t size = std::max(bytes, piece);
        pieces_->push_back(allocate(1, size));
        left_ = {pieces_->back().get(), size};
    }
    std::byte* const item = left_.data();
    items_.push_back(left_.first(item_bytes));
    left_ = left_.subspan(bytes);
    return item;
}

void ItemList::add(std::span<const std::byte> item) {
    std::byte* const copy = make(item.size());
    if (!item.empty()) std::memcpy(copy, item.data(), item.size());
}

void ItemList::add(const ItemList& others) {
    pieces_->insert(pieces_->end(), others.pieces_->begin(), others.pieces_->end());
    items_.insert(items_.end(), others.items_.begin(), others.items_.end());
    left_ = {};
}

}  // namespace drawstore::file
