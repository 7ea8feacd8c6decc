// The ways to compute a CRC-32C, of which the library takes the fastest that the processor has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#if defined(__x86_64__) && defined(__GNUC__)
#define DRAWSTORE_X86_CRC32
#endif

namespace drawstore::checksum {

std::uint32_t crc32c_by_table(std::span<const std::byte> data, std::uint32_t before) noexcept;

#ifdef DRAWSTORE_X86_CRC32
// SSE 4.2 has an instruction for it.
bool has_crc32c_instruction() noexcept;
std::uint32_t crc32c_by_instruction(std::span<const std::byte> data, std::uint32_t before) noexcept;
#endif

}  // namespace drawstore::checksum
