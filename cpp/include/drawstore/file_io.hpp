// Reading and writing at places of an open file: of this library, and of others that write there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace drawstore {

// Bytes and their place in a file.
struct PlacedBytes {
    std::uint64_t offset = 0;
    std::span<const std::byte> bytes;
};

// The kernel puts the bytes of one call into a run of pages as long as they are. Longer runs than
// this are not those that were just given back, which are still in the caches; where a host lends
// memory to its guests, they even have to be got from there: writing 144 MB took 140 to 540 ms in
// calls of 1 MiB, and 50 to 70 in calls of this size.
inline constexpr std::size_t written_at_once = std::size_t{32} << 10;

// On descriptors of the system. Any thread; errors are a SystemError without a path.

// Fills `into` with as many bytes as there are before the end of the file; returns how many.
std::size_t read_at(int descriptor, std::uint64_t offset, std::span<std::byte> into);

void write_at(int descriptor, PlacedBytes piece);

// Makes the file at least `end` long, with space on the disk for bytes [begin, end). What is there
// stays as it is.
void allocate_at(int descriptor, std::uint64_t begin, std::uint64_t end);

// Returns when the contents of the file survive a loss of power.
void sync_contents(int descriptor);

}  // namespace drawstore
