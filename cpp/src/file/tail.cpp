#include "file/tail.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>

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

std::array<std::byte, TailUse::bytes> TailUse::encode(std::uint32_t id_sum) const noexcept {
    std::array<std::byte, bytes> encoded;
    store(encoded.data(), first_row);
    store(encoded.data() + 8, generation);
    store(encoded.data() + 12, crc32c({encoded.data(), bytes - 4}, id_sum));
    return encoded;
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

void Tail::begin_use(const TailUse& use) {
    about_to_change();
    const auto bytes = use.encode(id_sum_);
    std::ranges::copy(bytes, memory_ + TailUse::at);
    if (!mapping_) file_.write(offset_ + TailUse::at, bytes);
}

void Tail::write(TailCount count, std::size_t from, std::size_t until) {
    if (from < until) file_.write(offset_ + from, File::Piece(memory_ + from, until - from));
    std::array<std::byte, 8> word;
    store(word.data(), count.pack(id_sum_));
    file_.write(offset_, word);
    word_->store(count.pack(id_sum_), std::memory_order_release);
}

bool Tail::clear_behind(std::size_t from) {
    const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
    if (std::all_of(memory_ + from, memory_ + capacity_, is_zero)) return false;
    about_to_change();
    std::memset(memory_ + from, 0, capacity_ - from);
    if (!mapping_) file_.write(offset_ + from, File::Piece(memory_ + from, capacity_ - from));
    return true;
}

std::optional<TailCount> read_tail_count(const File& file, std::uint64_t tail_offset,
                                         std::uint32_t id_sum, bool& unused) {
    std::array<std::byte, 8> word{};
    file.read(tail_offset, word);
    unused = load<std::uint64_t>(word.data()) == 0;
    return TailCount::unpack(load<std::uint64_t>(word.data()), id_sum);
}

std::optional<FoundTail> find_tail(const File& file, std::uint64_t tail_offset,
                                   std::uint32_t id_sum) {
    std::array<std::byte, TailUse::at + TailUse::bytes> head{};
    file.read(tail_offset, head);
    const auto count = TailCount::unpack(load<std::uint64_t>(head.data()), id_sum);
    const std::byte* const at = head.data() + TailUse::at;
    const TailUse use{load<std::uint64_t>(at), load<std::uint32_t>(at + 8)};
    if (!count || count->generation != (use.generation & TailCount::mask)) return std::nullopt;
    if (!std::ranges::equal(use.encode(id_sum), std::span(at, TailUse::bytes))) return std::nullopt;
    return FoundTail{use, count->rows};
}

}  // namespace drawstore::file
