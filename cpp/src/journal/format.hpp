// The bytes of a journal, as FORMAT.md describes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "drawstore/rows.hpp"
#include "file/bytes.hpp"

namespace drawstore::journal {

using file::Id;

// The first page of the file says what it is; the segments follow.
constexpr std::uint64_t header_bytes = file::page;
constexpr std::size_t header_end = 32;  // of what is said in it

// The first page of a segment says how large it is and what it is used for. Behind it is the word
// that counts the rows, and then their records.
constexpr std::uint64_t head_bytes = file::page;
constexpr std::size_t head_end = 28;
constexpr std::uint64_t use_at = 512;
constexpr std::size_t use_bytes = 512;
constexpr std::size_t first_record = 64;  // behind the head

std::array<std::byte, header_end> encode_header(const Id& id);

// The id of a journal. Throws DataError for what is not the header of one.
Id decode_header(std::span<const std::byte> bytes);

// Whether a file of that size, whose header is not whole, is a journal that was only being made.
bool is_being_made(std::span<const std::byte> header, std::uint64_t size) noexcept;

std::array<std::byte, head_end> encode_head(std::uint64_t offset, std::uint64_t bytes,
                                            std::uint32_t id_sum) noexcept;

// The size of the segment at that offset; nothing where there is none.
std::optional<std::uint64_t> decode_head(std::span<const std::byte, head_end> bytes,
                                         std::uint64_t offset, std::uint32_t id_sum) noexcept;

// What the rows in a segment are. It is another one each time that a segment is used.
struct Use {
    std::uint32_t generation = 0;
    Id chain{};
    std::uint64_t first_row = 0;
    std::uint32_t previous_sum = 0;  // of the row before the first
    std::uint32_t columns_sum = 0;
    std::string label;
};

std::array<std::byte, use_bytes> encode_use(const Use& use, std::uint64_t offset,
                                            std::uint32_t id_sum) noexcept;
std::optional<Use> decode_use(std::span<const std::byte, use_bytes> bytes, std::uint64_t offset,
                              std::uint32_t id_sum);

// By it the rows of a chain are known to have these columns.
std::uint32_t columns_sum(std::span<const Rows::Column> columns);

}  // namespace drawstore::journal
