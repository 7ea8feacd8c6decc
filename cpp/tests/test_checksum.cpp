#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "checksum/crc32c.hpp"
#include "drawstore/checksum.hpp"

using drawstore::crc32c;
using drawstore::fletcher32;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
    std::vector<std::byte> bytes;
    for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
    return bytes;
}

}  // namespace

TEST_CASE("crc32c gives the check values of RFC 3720, appendix B.4") {
    CHECK(crc32c(bytes_of("123456789")) == 0xE3069283);
    CHECK(crc32c(std::vector<std::byte>(32, std::byte{0})) == 0x8A9136AA);
    CHECK(crc32c(std::vector<std::byte>(32, std::byte{0xFF})) == 0x62A8AB43);
    CHECK(crc32c({}) == 0);
}

TEST_CASE("crc32c does not depend on where the bytes lie") {
    std::vector<std::byte> bytes(100);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(7 * i);
    for (std::size_t shift = 0; shift < 16; ++shift) {
        std::vector<std::byte> moved(shift + bytes.size());
        std::copy(bytes.begin(), bytes.end(), moved.data() + shift);
        CHECK(crc32c(std::span(moved).subspan(shift)) == crc32c(bytes));
    }
}

TEST_CASE("fletcher32 sums big-endian words") {
    // Two words, 0x0102 and 0x0304: their sum is 0x0406, the sum of the sums 0x0102 + 0x0406.
    const std::vector<std::byte> words{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    CHECK(fletcher32(words) == 0x05080406);
    CHECK(fletcher32({}) == 0);
}

TEST_CASE("fletcher32 takes a last odd byte for the high half of a word") {
    const std::vector<std::byte> odd{std::byte{1}, std::byte{2}, std::byte{3}};
    const std::vector<std::byte> even{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{0}};
    CHECK(fletcher32(odd) == fletcher32(even));
}

TEST_CASE("fletcher32 of many words equals its definition") {
    std::vector<std::byte> bytes(100'001);
    std::uint32_t seed = 1;
    for (auto& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<std::byte>(seed >> 24);
    }
    std::uint64_t sum = 0;
    std::uint64_t sums = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        const auto low = i + 1 < bytes.size() ? std::to_integer<std::uint64_t>(bytes[i + 1]) : 0;
        sum = (sum + (std::to_integer<std::uint64_t>(bytes[i]) << 8 | low)) % 65535;
        sums = (sums + sum) % 65535;
    }
    CHECK(fletcher32(bytes) == (sums << 16 | sum));
}

TEST_CASE("bytes are put into chunks with their checksums, however they are cut into pieces") {
    std::vector<std::byte> bytes(100);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(3 * i + 1);
    const std::span<const std::byte> all(bytes);
    for (const std::size_t chunk_bytes : {std::size_t{7}, std::size_t{50}, std::size_t{128}}) {
        const std::size_t n = (bytes.size() + chunk_bytes - 1) / chunk_bytes;
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
            const std::array pieces{all.first(cut), all.first(0), all.subspan(cut)};
            std::vector<std::byte> chunks(n * (chunk_bytes + drawstore::fletcher32_bytes),
                                          std::byte{0xEE});
            drawstore::put_into_chunks(pieces, chunk_bytes, chunks);
            for (std::size_t i = 0; i < n; ++i) {
                std::vector<std::byte> chunk(chunk_bytes);
                std::ranges::copy(all.subspan(i * chunk_bytes)
                                      .first(std::min(chunk_bytes, bytes.size() - i * chunk_bytes)),
                                  chunk.begin());
                const std::uint32_t sum = fletcher32(chunk);
                for (int shift = 0; shift < 32; shift += 8) {
                    chunk.push_back(static_cast<std::byte>(sum >> shift));
                }
                const auto found = std::span(chunks).subspan(i * chunk.size(), chunk.size());
                CHECK(std::ranges::equal(found, chunk));
            }
        }
    }
}

TEST_CASE("crc32c of two runs is that of both, begun with the sum of the first") {
    std::vector<std::byte> bytes(500);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * i);
    const std::span all(bytes);
    for (std::size_t i = 0; i <= all.size(); ++i) {
        CHECK(crc32c(all.subspan(i), crc32c(all.first(i))) == crc32c(all));
    }
}

TEST_CASE("crc32c is the same by the processor's instruction and by table") {
    std::vector<std::byte> bytes(40'000);
    std::uint32_t seed = 1;
    for (auto& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<std::byte>(seed >> 24);
    }
    const std::span all(bytes);
    for (std::size_t n = 0; n < all.size(); n += n < 2000 ? 1 : 997) {
        const auto run = all.subspan(n % 9, std::min(n, all.size() - 9));
        CHECK(crc32c(run, seed) == drawstore::checksum::crc32c_by_table(run, seed));
    }
}
