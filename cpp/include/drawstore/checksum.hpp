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

// CRC-32C, the cyclic redundancy check with Castagnoli's polynomial (RFC 3720, appendix B.4).
std::uint32_t crc32c(std::span<const std::byte> data) noexcept;

}  // namespace drawstore
