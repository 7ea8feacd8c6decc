// Checksums of bytes on their way to a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace drawstore {

// Fletcher's checksum over big-endian 16-bit words (J. G. Fletcher, "An Arithmetic Checksum for
// Serial Transmissions", IEEE Trans. Commun. 30, 247, 1982), with sums modulo 65535, as HDF5's
// fletcher32 filter puts it behind a chunk.
std::uint32_t fletcher32(std::span<const std::byte> data) noexcept;
inline constexpr std::size_t fletcher32_bytes = 4;  // little-endian

// Cuts bytes, piece behind piece, into chunks of a size, each with its Fletcher checksum behind it;
// the last one is filled up with zeros. `into` has room for just that.
void put_into_chunks(std::span<const std::span<const std::byte>> pieces, std::size_t chunk_bytes,
                     std::span<std::byte> into) noexcept;

// CRC-32C, the cyclic redundancy check with Castagnoli's polynomial (RFC 3720, appendix B.4).
// Given the sum of what came before, it is the sum of both together.
std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t before = 0) noexcept;

}  // namespace drawstore
