// Copies of many equal pieces that lie apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace drawstore::file {

// Calls with the size as a constant where it is a common one: a copy of so many bytes is then one
// or two instructions.
template <typename Copy>
void with_constant_size(std::size_t bytes, Copy&& copy) {
    const auto constant = [&]<std::size_t n>() { copy([] { return n; }); };
    switch (bytes) {
        case 1:
            return constant.template operator()<1>();
        case 2:
            return constant.template operator()<2>();
        case 4:
            return constant.template operator()<4>();
        case 8:
            return constant.template operator()<8>();
        case 12:
            return constant.template operator()<12>();
        case 16:
            return constant.template operator()<16>();
        case 20:
            return constant.template operator()<20>();
        case 24:
            return constant.template operator()<24>();
        case 32:
            return constant.template operator()<32>();
        case 40:
            return constant.template operator()<40>();
        default:
            return copy([bytes] { return bytes; });
    }
}

// Values are captured by value: as references they would be loaded anew after each byte stored.

// n pieces of `bytes` bytes at from, from + stride, ... one behind the other.
inline void gather(std::byte* to, const std::byte* from, std::size_t stride, std::uint64_t n,
                   std::size_t bytes) {
    with_constant_size(bytes, [=](auto size) {
        for (std::uint64_t i = 0; i < n; ++i) {
            std::memcpy(to + i * size(), from + i * stride, size());
        }
    });
}

// The same, where each piece is at an offset from an address of its own.
inline void gather(std::byte* to, const std::byte* const* from, std::size_t offset, std::uint64_t n,
                   std::size_t bytes) {
    with_constant_size(bytes, [=](auto size) {
        for (std::uint64_t i = 0; i < n; ++i) {
            std::memcpy(to + i * size(), from[i] + offset, size());
        }
    });
}

}  // namespace drawstore::file
