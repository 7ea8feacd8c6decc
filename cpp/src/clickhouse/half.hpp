// float16 as float32 and back, as bits: NaNs keep theirs.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

namespace drawstore::clickhouse {

inline std::uint32_t widened(std::uint16_t half) noexcept {
    const std::uint32_t sign = half & 0x8000U;
    std::uint32_t exponent = half >> 10 & 0x1FU;
    std::uint32_t fraction = half & 0x3FFU;
    if (exponent == 0x1F) {
        exponent = 0xFF;
    } else if (exponent > 0) {
        exponent += 112;
    } else if (fraction > 0) {  // subnormal there, and not here
        const int shift = std::countl_zero(fraction) - 21;
        fraction = fraction << shift & 0x3FFU;
        exponent = static_cast<std::uint32_t>(113 - shift);
    }
    return sign << 16 | exponent << 23 | fraction << 13;
}

// Nothing where the number is no float16.
inline std::optional<std::uint16_t> narrowed(std::uint32_t bits) noexcept {
    const std::uint32_t sign = bits >> 16 & 0x8000U;
    std::uint32_t exponent = bits >> 23 & 0xFFU;
    std::uint32_t fraction = bits & 0x7FFFFFU;
    if ((fraction & 0x1FFFU) != 0) return std::nullopt;
    fraction >>= 13;
    if (exponent == 0xFF) {
        exponent = 0x1F;
    } else if (exponent > 112 && exponent < 143) {
        exponent -= 112;
    } else if (exponent > 102 && exponent <= 112) {
        const std::uint32_t shift = 113 - exponent;
        const std::uint32_t whole = fraction | 0x400U;
        if ((whole & ((1U << shift) - 1)) != 0) return std::nullopt;
        fraction = whole >> shift;
        exponent = 0;
    } else if (exponent != 0 || fraction != 0) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(sign | exponent << 10 | fraction);
}

}  // namespace drawstore::clickhouse
