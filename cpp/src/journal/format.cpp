#include "journal/format.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"

namespace drawstore::journal {
namespace {

using file::load;
using file::store;

constexpr std::string_view magic = "drawjrnl";
constexpr std::string_view segment_magic = "drawsegm";
constexpr std::uint32_t version = 1;
constexpr std::size_t label_at = 42;

std::uint32_t use_sum(const std::byte* use, std::uint64_t offset, std::uint32_t id_sum) noexcept {
    std::array<std::byte, 8> place;
    store(place.data(), offset);
    return crc32c({use + 4, use_bytes - 4}, crc32c(place, id_sum));
}

}  // namespace

std::array<std::byte, header_end> encode_header(const Id& id) {
    std::array<std::byte, header_end> bytes;
    std::memcpy(bytes.data(), magic.data(), magic.size());
    store(bytes.data() + 8, version);
    std::memcpy(bytes.data() + 16, id.data(), id.size());
    store(bytes.data() + 12, crc32c(id));
    return bytes;
}

Id decode_header(std::span<const std::byte> bytes) {
    if (bytes.size() < magic.size() + 4 ||
        std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
        throw DataError("it is not a journal of drawstore: it does not begin with '" +
                        std::string(magic) + "'");
    }
    if (const auto found = load<std::uint32_t>(bytes.data() + 8); found != version) {
        throw DataError("it has version " + std::to_string(found) +
                        " of the format; this drawstore reads version " + std::to_string(version));
    }
    if (bytes.size() < header_end) throw DataError("it ends within its header");
    Id id;
    std::memcpy(id.data(), bytes.data() + 16, id.size());
    if (load<std::uint32_t>(bytes.data() + 12) != crc32c(id)) {
        throw DataError("its header does not have the checksum that is written in it");
    }
    return id;
}

bool is_being_made(std::span<const std::byte> header, std::uint64_t size) noexcept {
    if (size > header_bytes) return false;  // what follows comes after the whole header
    const auto is_zero = [](std::byte b) { return b == std::byte{0}; };
    return std::ranges::all_of(header, is_zero) ||
           std::memcmp(header.data(), magic.data(), magic.size()) == 0;
}

std::array<std::byte, head_end> encode_head(std::uint64_t offset, std::uint64_t bytes,
                                            std::uint32_t id_sum) noexcept {
    std::array<std::byte, head_end> head;
    std::memcpy(head.data(), segment_magic.data(), segment_magic.size());
    store(head.data() + 8, offset);
    store(head.data() + 16, bytes);
    store(head.data() + 24, crc32c({head.data(), head_end - 4}, id_sum));
    return head;
}

std::optional<std::uint64_t> decode_head(std::span<const std::byte, head_end> head,
                                         std::uint64_t offset, std::uint32_t id_sum) noexcept {
    const auto bytes = load<std::uint64_t>(head.data() + 16);
    if (std::memcmp(head.data(), segment_magic.data(), segment_magic.size()) != 0 ||
        load<std::uint64_t>(head.data() + 8) != offset || bytes <= head_bytes ||
        bytes % file::page != 0 ||
        load<std::uint32_t>(head.data() + 24) != crc32c(head.first(head_end - 4), id_sum)) {
        return std::nullopt;
    }
    return bytes;
}

std::array<std::byte, use_bytes> encode_use(const Use& use, std::uint64_t offset,
                                            std::uint32_t id_sum) noexcept {
    std::array<std::byte, use_bytes> bytes{};
    std::byte* const at = bytes.data();
    store(at + 4, use.generation);
    std::memcpy(at + 8, use.chain.data(), use.chain.size());
    store(at + 24, use.first_row);
    store(at + 32, use.previous_sum);
    store(at + 36, use.columns_sum);
    const std::size_t length = std::min(use.label.size(), use_bytes - label_at);
    store(at + 40, static_cast<std::uint16_t>(length));
    std::memcpy(at + label_at, use.label.data(), length);
    store(at, use_sum(at, offset, id_sum));
    return bytes;
}

std::optional<Use> decode_use(std::span<const std::byte, use_bytes> bytes, std::uint64_t offset,
                              std::uint32_t id_sum) {
    const std::byte* const at = bytes.data();
    const std::size_t length = load<std::uint16_t>(at + 40);
    if (load<std::uint32_t>(at) != use_sum(at, offset, id_sum) || length > use_bytes - label_at) {
        return std::nullopt;
    }
    Use use{load<std::uint32_t>(at + 4),
            {},
            load<std::uint64_t>(at + 24),
            load<std::uint32_t>(at + 32),
            load<std::uint32_t>(at + 36),
            std::string(reinterpret_cast<const char*>(at + label_at), length)};
    std::memcpy(use.chain.data(), at + 8, use.chain.size());
    return use;
}

std::uint32_t columns_sum(std::span<const Rows::Column> columns) {
    std::uint32_t sum = 0;
    for (const Rows::Column& column : columns) {
        std::array<std::byte, 24> bytes{};
        store(bytes.data(), std::uint64_t{column.bytes});
        store(bytes.data() + 8, std::uint64_t{column.alignment});
        store(bytes.data() + 16, std::uint64_t{column.ragged});
        sum = crc32c(bytes, sum);
    }
    return sum;
}

}  // namespace drawstore::journal
