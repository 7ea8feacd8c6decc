#include "checksum/crc32c.hpp"

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

namespace checksum {

std::uint32_t crc32c_by_table(std::span<const std::byte> data, std::uint32_t before) noexcept {
    std::uint32_t rest = ~before;
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

#ifdef DRAWSTORE_X86_CRC32

namespace {

// What a number of zero bytes, a power of two, makes of a remainder: a linear map, looked up byte
// by byte.
using ZeroBytes = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr ZeroBytes zero_bytes(std::size_t count) {
    std::array<std::uint32_t, 32> image{};  // of each bit
    const auto apply = [](const std::array<std::uint32_t, 32>& map, std::uint32_t rest) {
        std::uint32_t sum = 0;
        for (std::size_t bit = 0; bit < 32; ++bit) sum ^= rest >> bit & 1 ? map[bit] : 0;
        return sum;
    };
    for (std::size_t bit = 0; bit < 32; ++bit) {
        const std::uint32_t rest = std::uint32_t{1} << bit;
        image[bit] = (rest >> 8) ^ table[0][rest & 0xFF];
    }
    for (; count > 1; count /= 2) {
        const auto once = image;
        for (std::size_t bit = 0; bit < 32; ++bit) image[bit] = apply(once, once[bit]);
    }
    ZeroBytes map{};
    for (std::size_t k = 0; k < 4; ++k) {
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            map[k][byte] = apply(image, byte << (8 * k));
        }
    }
    return map;
}

template <std::size_t n>
constexpr ZeroBytes zeros = zero_bytes(n);

template <std::size_t n>
std::uint32_t behind_zeros(std::uint64_t rest) noexcept {
    return zeros<n>[0][rest & 0xFF] ^ zeros<n>[1][rest >> 8 & 0xFF] ^
           zeros<n>[2][rest >> 16 & 0xFF] ^ zeros<n>[3][rest >> 24 & 0xFF];
}

std::uint64_t word_at(const std::byte* data) noexcept {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    return word;
}

// The instruction takes three cycles but can begin one each cycle: three runs of n bytes go side by
// side and are put together at the end.
template <std::size_t n>
[[gnu::target("sse4.2")]] std::uint64_t three_runs(const std::byte*& data, std::size_t& bytes,
                                                   std::uint64_t rest) noexcept {
    while (bytes >= 3 * n) {
        std::uint64_t second = 0;
        std::uint64_t third = 0;
        for (std::size_t i = 0; i < n; i += 8) {
            rest = __builtin_ia32_crc32di(rest, word_at(data + i));
            second = __builtin_ia32_crc32di(second, word_at(data + n + i));
            third = __builtin_ia32_crc32di(third, word_at(data + 2 * n + i));
        }
        rest = behind_zeros<n>(behind_zeros<n>(rest) ^ second) ^ third;
        data += 3 * n;
        bytes -= 3 * n;
    }
    return rest;
}

}  // namespace

[[gnu::target("sse4.2")]] std::uint32_t crc32c_by_instruction(std::span<const std::byte> bytes,
                                                              std::uint32_t before) noexcept {
    const std::byte* data = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t rest = ~before;
    rest = three_runs<4096>(data, left, rest);
    rest = three_runs<256>(data, left, rest);
    for (; left >= 8; left -= 8, data += 8) rest = __builtin_ia32_crc32di(rest, word_at(data));
    auto low = static_cast<std::uint32_t>(rest);
    for (; left > 0; --left, ++data) {
        low = __builtin_ia32_crc32qi(low, std::to_integer<std::uint8_t>(*data));
    }
    return ~low;
}

bool has_crc32c_instruction() noexcept { return __builtin_cpu_supports("sse4.2"); }

#endif

}  // namespace checksum

std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t before) noexcept {
#ifdef DRAWSTORE_X86_CRC32
    static const bool by_instruction = checksum::has_crc32c_instruction();
    if (by_instruction) return checksum::crc32c_by_instruction(data, before);
#endif
    return checksum::crc32c_by_table(data, before);
}

}  // namespace drawstore
