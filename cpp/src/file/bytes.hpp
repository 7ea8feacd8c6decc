// Numbers as bytes of a file: little-endian, at any address.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace drawstore::file {

constexpr bool is_little_endian = std::endian::native == std::endian::little;

template <typename T>
T load(const std::byte* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <typename T>
void store(std::byte* to, T value) noexcept {
    std::memcpy(to, &value, sizeof value);
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
    return (value + to - 1) / to * to;
}

constexpr std::uint64_t page = 4096;
constexpr std::size_t column_alignment = 16;  // of what belongs to a column, in records and blocks

// 16 random bytes, by which the parts of a file are known to belong together.
using Id = std::array<std::byte, 16>;
Id random_id();

}  // namespace drawstore::file
