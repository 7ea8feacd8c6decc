#include <array>
#include <bit>
#include <cstring>

#include "drawstore/checksum.hpp"

namespace drawstore {
namespace {

constexpr std::uint32_t polynomial = 0x82F63B78;  // Castagnoli's, its bits reversed

// table[k][b] is the remainder of byte b followed by k zero bytes: eight bytes go in one step
// (M. E. Kounavis and F. L. Berry, "A Systematic Approach to Building High Performance
// Software-Based CRC Generators", ISCC 2005).
constexpr auto make_tables() {
    std::array<std::array<std::uint32_t, 256>, 8> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t rest = byte;
        for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ (rest & 1 ? polynomial : 0);
        table[0][byte] = rest;
    }
    for (std::size_t k = 1; k < table.size(); ++k) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t before = table[k - 1][byte];
            table[k][byte] = (before >> 8) ^ table[0][before & 0xFF];
        }
    }
    return table;
}

constexpr auto table = make_tables();

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> data) noexcept {
    std::uint32_t rest = 0xFFFFFFFF;
    std::size_t i = 0;
    if constexpr (std::endian::native == std::endian::little) {
        for (; i + 8 <= data.size(); i += 8) {
            std::uint64_t word;
            std::memcpy(&word, data.data() + i, 8);
            word ^= rest;
            rest = table[7][word & 0xFF] ^ table[6][word >> 8 & 0xFF] ^
                   table[5][word >> 16 & 0xFF] ^ table[4][word >> 24 & 0xFF] ^
                   table[3][word >> 32 & 0xFF] ^ table[2][word >> 40 & 0xFF] ^
                   table[1][word >> 48 & 0xFF] ^ table[0][word >> 56];
        }
    }
    for (; i < data.size(); ++i) {
        rest = (rest >> 8) ^ table[0][(rest ^ std::to_integer<std::uint32_t>(data[i])) & 0xFF];
    }
    return ~rest;
}

}  // namespace drawstore
