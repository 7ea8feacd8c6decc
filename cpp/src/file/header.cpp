#include "file/header.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <string_view>
#include <utility>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "file/process.hpp"
#include "file/tail.hpp"

namespace drawstore::file {
namespace {

constexpr std::string_view magic = "drawrows";
constexpr std::uint32_t newest_version = 2;
constexpr int max_tries = 1000;         // of a reader that finds a writer at work
constexpr std::size_t head_begin = 16;  // of what the checksum covers, with the table of columns
constexpr std::size_t head_end = 64;
constexpr std::size_t holder_at = 512;
constexpr std::size_t commit_at = 1024;
constexpr std::size_t commit_stride = 512;
constexpr std::size_t commit_bytes = 40;
constexpr std::size_t synced_at = 2048;
constexpr std::size_t synced_bytes = 44;
constexpr std::size_t column_bytes = 16;
constexpr std::uint32_t ragged_flag = 1;
constexpr std::size_t max_columns = std::size_t{1} << 24;
constexpr std::uint64_t max_column_bytes = std::uint64_t{1} << 56;
constexpr std::uint64_t max_tail = std::uint64_t{1} << 26;  // its rows are counted in 22 bits

void encode_commit(std::byte* to, const Head& head, const Commit& commit) {
    store(to, commit.sequence);
    store(to + 8, commit.block_rows);
    store(to + 16, commit.n_blocks);
    store(to + 24, commit.blocks_end);
    store(to + 32, commit.tail_generation);
    store(to + 36, crc32c({to, commit_bytes - 4}, crc32c(head.id)));
}

Commit load_commit(const std::byte* from) {
    return {load<std::uint64_t>(from), load<std::uint64_t>(from + 8),
            load<std::uint64_t>(from + 16), load<std::uint64_t>(from + 24),
            load<std::uint32_t>(from + 32)};
}

std::optional<Commit> decode_commit(const std::byte* from, const Head& head) {
    if (load<std::uint32_t>(from + 36) != crc32c({from, commit_bytes - 4}, crc32c(head.id))) {
        return std::nullopt;
    }
    return load_commit(from);
}

void encode_synced(std::byte* to, const Head& head, const Synced& synced) {
    encode_commit(to, head, synced.commit);
    store(to + 36, synced.in_tail);  // in the place of the checksum, which comes last
    store(to + 40, crc32c({to, synced_bytes - 4}, crc32c(head.id)));
}

std::optional<Synced> decode_synced(const std::byte* from, const Head& head) {
    if (load<std::uint32_t>(from + 40) != crc32c({from, synced_bytes - 4}, crc32c(head.id))) {
        return std::nullopt;
    }
    return Synced{load_commit(from), load<std::uint32_t>(from + 36)};
}

}  // namespace

Id random_id() {
    std::random_device random;
    Id id;
    for (std::size_t i = 0; i < id.size(); i += 4) {
        store(id.data() + i, static_cast<std::uint32_t>(random()));
    }
    return id;
}

void fail_damaged(const File& file, const std::string& what) {
    throw DataError("the data file '" + file.path().string() + "' is damaged: " + what +
                    "; restore it from a copy, or delete the run");
}

std::vector<std::byte> encode(const Head& head, const Commit& commit) {
    std::vector<std::byte> bytes(head.tail_begin(commit.tail_generation) + Tail::head_bytes);
    std::byte* const begin = bytes.data();
    std::memcpy(begin, magic.data(), magic.size());
    store(begin + 8, head.version);
    std::memcpy(begin + 16, head.id.data(), head.id.size());
    store(begin + 32, head.chain_number);
    store(begin + 36, static_cast<std::uint32_t>(head.columns.size()));
    store(begin + 40, head.tail_offset);
    store(begin + 48, head.tail_bytes);
    std::byte* at = begin + page;
    for (const Rows::Column& column : head.columns) {
        store(at, std::uint64_t{column.bytes});
        store(at + 8, static_cast<std::uint32_t>(column.alignment));
        store(at + 12, column.ragged ? ragged_flag : 0);
        at += column_bytes;
    }
    const std::uint32_t sum = crc32c({begin + head_begin, head_end - head_begin});
    store(begin + 12, crc32c({begin + page, head.columns.size() * column_bytes}, sum));
    for (const std::size_t place : {std::size_t{0}, std::size_t{1}}) {
        encode_commit(begin + commit_at + place * commit_stride, head, commit);
        encode_synced(begin + synced_at + place * commit_stride, head, {commit});
    }
    const TailCount count{commit.tail_generation, 0};
    at = begin + head.tail_begin(commit.tail_generation);
    store(at, count.pack(crc32c(head.id)));
    const TailUse use{commit.block_rows, commit.tail_generation};
    std::ranges::copy(use.encode(crc32c(head.id)), at + TailUse::at);
    return bytes;
}

Head read_head(const File& file) {
    if (!is_little_endian) {
        throw StateError("stores in files do not work on big-endian processors yet");
    }
    std::array<std::byte, head_end> bytes;
    const std::size_t n = file.read(0, bytes);
    std::string name = "'";
    name += file.path().string() + "'";
    if (n < magic.size() + 4 || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
        throw DataError(name + " is not a data file of drawstore: it does not begin with '" +
                        std::string(magic) + "'; move it elsewhere, or restore it from a copy");
    }
    if (const auto found = load<std::uint32_t>(bytes.data() + 8);
        found == 0 || found > newest_version) {
        throw DataError(name + " has version " + std::to_string(found) +
                        " of the format; this drawstore reads versions up to " +
                        std::to_string(newest_version) + ": install a newer one");
    }
    if (n < head_end) fail_damaged(file, "it ends within its header");
    Head head;
    head.version = load<std::uint32_t>(bytes.data() + 8);
    std::memcpy(head.id.data(), bytes.data() + 16, head.id.size());
    head.chain_number = load<std::uint32_t>(bytes.data() + 32);
    const std::size_t n_columns = load<std::uint32_t>(bytes.data() + 36);
    head.tail_offset = load<std::uint64_t>(bytes.data() + 40);
    head.tail_bytes = load<std::uint64_t>(bytes.data() + 48);
    const std::string wrong = "its header does not have the checksum that is written in it";
    if (n_columns > max_columns) fail_damaged(file, wrong);
    std::vector<std::byte> table(std::min<std::uint64_t>(n_columns * column_bytes, file.size()));
    if (file.read(page, table) < n_columns * column_bytes) {
        fail_damaged(file, "it ends within its table of columns");
    }
    const std::uint32_t sum = crc32c({bytes.data() + head_begin, head_end - head_begin});
    if (load<std::uint32_t>(bytes.data() + 12) != crc32c(table, sum)) fail_damaged(file, wrong);
    for (std::size_t c = 0; c < n_columns; ++c) {
        const std::byte* const at = table.data() + c * column_bytes;
        head.columns.push_back({static_cast<std::size_t>(load<std::uint64_t>(at)),
                                load<std::uint32_t>(at + 12) == ragged_flag,
                                load<std::uint32_t>(at + 8)});
        const Rows::Column& column = head.columns.back();
        if (column.bytes > max_column_bytes || column.alignment > column_alignment ||
            !std::has_single_bit(column.alignment)) {
            fail_damaged(file, "its table of columns makes no sense");
        }
    }
    if (head.tail_offset < page + table.size() || head.tail_offset % page != 0 ||
        head.tail_bytes == 0 || head.tail_bytes % page != 0 || head.tail_bytes > max_tail ||
        head.tail_offset > max_column_bytes) {
        fail_damaged(file, "the place of its tail makes no sense");
    }
    return head;
}

namespace {

void check_commit(const File& file, const Head& head, const Commit& commit) {
    if (commit.blocks_end >= head.blocks_begin() && commit.blocks_end % page == 0) return;
    fail_damaged(file, "its header tells of blocks that cannot be there");
}

}  // namespace

Commit read_commit(const File& file, const Head& head) {
    std::array<std::byte, commit_stride + commit_bytes> bytes;
    // A writer may be at one of the two just now; the other one is whole then.
    if (file.read(commit_at, bytes) < bytes.size()) {
        fail_damaged(file, "it ends within its header");
    }
    const auto first = decode_commit(bytes.data(), head);
    const auto second = decode_commit(bytes.data() + commit_stride, head);
    if (!first && !second) {
        fail_damaged(file, "neither of its two commit records has its checksum");
    }
    const Commit commit =
        first && (!second || first->sequence >= second->sequence) ? *first : *second;
    check_commit(file, head, commit);
    return commit;
}

Synced read_synced(const File& file, const Head& head) {
    std::array<std::byte, 2 * commit_stride> bytes{};
    if (!head.has_two_tails()) {
        // Its writer syncs between two commits: the older one is durable.
        file.read(commit_at, bytes);
        const auto first = decode_commit(bytes.data(), head);
        const auto second = decode_commit(bytes.data() + commit_stride, head);
        if (!first || !second) return {read_commit(file, head)};
        const Commit& older = first->sequence < second->sequence ? *first : *second;
        check_commit(file, head, older);
        return {older};
    }
    if (file.read(synced_at, bytes) < bytes.size()) fail_damaged(file, "it ends within its header");
    auto synced = decode_synced(bytes.data(), head);
    if (auto second = decode_synced(bytes.data() + commit_stride, head)) {
        second->place = 1;
        const auto order = [](const Synced& each) {
            return std::pair(each.commit.sequence, each.in_tail);
        };
        if (!synced || order(*second) > order(*synced)) synced = second;
    }
    if (!synced) fail_damaged(file, "neither of its two records of durable rows has its checksum");
    check_commit(file, head, synced->commit);
    return *synced;
}

Counts read_counts(const File& file, const Head& head) {
    const std::uint32_t id_sum = crc32c(head.id);
    std::optional<TailCount> count;
    for (int tries = 0; tries < max_tries; ++tries) {
        const Commit commit = read_commit(file, head);
        const std::uint32_t generation = commit.tail_generation & TailCount::mask;
        bool unused = false;
        count = read_tail_count(file, head.tail_begin(commit.tail_generation), id_sum, unused);
        if (count && count->generation == generation) return {commit, count->rows};
        if (!head.has_two_tails()) {
            // The writer went, or is, between the two steps that end one use of the tail.
            if (count && ((count->generation + 1) & TailCount::mask) == generation) {
                return {commit, 0};
            }
        } else if ((count || unused) && read_commit(file, head).sequence == commit.sequence) {
            return {commit, 0};  // it is not used for these rows yet
        }
    }
    fail_damaged(file, count ? "its tail is newer than its header tells"
                             : "the count of the rows in its tail does not have its checksum");
}

void write_commit(File& file, const Head& head, const Commit& commit) {
    std::array<std::byte, commit_bytes> bytes;
    encode_commit(bytes.data(), head, commit);
    file.write(commit_at + commit.sequence % 2 * commit_stride, bytes);
}

void write_synced(File& file, const Head& head, const Synced& synced) {
    std::array<std::byte, synced_bytes> bytes;
    encode_synced(bytes.data(), head, synced);
    file.write(synced_at + synced.place * commit_stride, bytes);
}

void write_holder(File& file) {
    std::array<std::byte, commit_at - holder_at> bytes{};
    const std::string host = host_name().substr(0, 255);
    store(bytes.data(), process_id());
    store(bytes.data() + 8, static_cast<std::uint16_t>(host.size()));
    std::memcpy(bytes.data() + 10, host.data(), host.size());
    file.write(holder_at, bytes);
}

std::string read_holder(const File& file) {
    std::array<std::byte, 10 + 255> bytes{};
    file.read(holder_at, bytes);
    const std::size_t length =
        std::min<std::size_t>(load<std::uint16_t>(bytes.data() + 8), bytes.size() - 10);
    return "process " + std::to_string(load<std::uint64_t>(bytes.data())) + " on host '" +
           std::string(reinterpret_cast<const char*>(bytes.data() + 10), length) + "'";
}

}  // namespace drawstore::file
