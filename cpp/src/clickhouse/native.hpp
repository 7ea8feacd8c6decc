// The pieces that Native blocks are made of. Numbers are little-endian; counts have seven bits a
// byte, the lowest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "drawstore/error.hpp"

namespace drawstore::clickhouse {

constexpr std::size_t longest_count = 10;  // bytes

// Writes to memory that is large enough.
class Writer {
  public:
    explicit Writer(std::byte* at) : at_(at) {}

    std::byte* at() const noexcept { return at_; }

    void count(std::uint64_t n) noexcept {
        for (; n >= 0x80; n >>= 7) *at_++ = static_cast<std::byte>(n | 0x80);
        *at_++ = static_cast<std::byte>(n);
    }
    void bytes(const void* data, std::size_t size) noexcept {
        if (size > 0) std::memcpy(at_, data, size);
        at_ += size;
    }
    void text(std::string_view text) noexcept {
        count(text.size());
        bytes(text.data(), text.size());
    }

    // Gives room for what is written later.
    std::byte* skip(std::size_t size) noexcept {
        std::byte* const here = at_;
        at_ += size;
        return here;
    }

  private:
    std::byte* at_;
};

// Reads what a server sent. Throws DataError where it ends too early; so nothing is taken for there
// that is not.
class Reader {
  public:
    explicit Reader(std::span<const std::byte> rest) : rest_(rest) {}

    bool is_at_end() const noexcept { return rest_.empty(); }

    std::uint64_t count() {
        std::uint64_t n = 0;
        for (unsigned shift = 0; shift < 7 * longest_count; shift += 7) {
            const auto byte = static_cast<std::uint64_t>(take(1)[0]);
            if (shift == 63 && byte > 1) break;
            n |= (byte & 0x7F) << shift;
            if (byte < 0x80) return n;
        }
        throw DataError("an answer of ClickHouse is damaged: a count has too many bytes");
    }

    // n pieces of so many bytes.
    std::span<const std::byte> take(std::uint64_t n, std::size_t bytes = 1) {
        expect(n, bytes);
        const auto taken = rest_.first(static_cast<std::size_t>(n) * bytes);
        rest_ = rest_.subspan(taken.size());
        return taken;
    }

    std::string_view text() {
        const auto taken = take(count());
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }

    // At least n pieces of so many bytes, which is not 0, are left.
    void expect(std::uint64_t n, std::size_t bytes) const {
        if (n > rest_.size() / bytes) {
            throw DataError("an answer of ClickHouse is cut off: it ends in the middle of a block");
        }
    }

    const std::byte* at() const noexcept { return rest_.data(); }

  private:
    std::span<const std::byte> rest_;
};

}  // namespace drawstore::clickhouse
