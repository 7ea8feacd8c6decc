#include "file/tail.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "file/bytes.hpp"

namespace drawstore::file {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              sizeof(std::atomic<std::uint64_t>) == sizeof(std::uint64_t));

std::uint64_t TailCount::pack(std::uint32_t id_sum) const noexcept {
    const std::uint64_t low = std::uint64_t{generation & mask} << 22 | (rows & mask);
    std::array<std::byte, 8> bytes;
    store(bytes.data(), low);
    return low | std::uint64_t{crc32c(bytes, id_sum)} << 44;
}

std::optional<TailCount> TailCount::unpack(std::uint64_t word, std::uint32_t id_sum) noexcept {
    const TailCount count{static_cast<std::uint32_t>(word >> 22) & mask,
                          static_cast<std::uint32_t>(word) & mask};
    return count.pack(id_sum) == word ? std::optional(count) : std::nullopt;
}

Tail::Tail(File& file, std::uint64_t offset, std::size_t capacity, std::size_t max_bytes,
           std::uint32_t id_sum, TailStore where)
    : file_(file), offset_(offset), capacity_(capacity), max_bytes_(max_bytes), id_sum_(id_sum) {
    const bool may_map =
        where == TailStore::Mapped || (where == TailStore::Auto && Mapping::is_safe(file));
    // All that it may become is mapped at once: its rows never move.
    if (may_map) mapping_ = Mapping::map(file, offset, max_bytes);
    if (mapping_) {
        memory_ = mapping_.data();
    } else {
        plain_.reset(static_cast<std::byte*>(std::calloc(max_bytes, 1)));
        if (!plain_) throw MemoryError("the system refused memory for the newest rows of a chain");
        memory_ = plain_.get();
        file.read(offset, {memory_, capacity});
    }
    const auto word = load<std::uint64_t>(memory_);
    word_ = new (memory_) std::atomic<std::uint64_t>(word);
}

void Tail::grow_to(std::size_t bytes) {
    bytes = std::min(bytes, max_bytes_);
    if (bytes <= capacity_) return;
    file_.allocate(offset_ + capacity_, offset_ + bytes);
    capacity_ = bytes;
}

void Tail::write(TailCount count, std::size_t from, std::size_t until) {
    if (from < until) file_.write(offset_ + from, File::Piece(memory_ + from, until - from));
    std::array<std::byte, 8> word;
    store(word.data(), count.pack(id_sum_));
    file_.write(offset_, word);
    word_->store(count.pack(id_sum_), std::memory_order_release);
}

void Tail::sync() const {
    if (mapping_) mapping_.sync(capacity_);
}

std::optional<TailCount> read_tail_count(const File& file, std::uint64_t tail_offset,
                                         std::uint32_t id_sum) {
    std::array<std::byte, 8> word{};
    file.read(tail_offset, word);
    return TailCount::unpack(load<std::uint64_t>(word.data()), id_sum);
}

}  // namespace drawstore::file
