#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "drawstore/error.hpp"
#include "file/copies.hpp"
#include "file/copy.hpp"
#include "file/file_rows.hpp"

namespace drawstore {

using file::allocate;
using file::BlockReader;
using file::BlockRef;
using file::File;
using file::first_from;
using file::ItemList;
using file::Tail;

namespace {

// A reader that finds a writer at work tries again; this is how often it may find it so.
constexpr int max_tries = 1000;

}  // namespace

void FileRows::refresh() {
    if (is_live()) return;
    const std::lock_guard lock(mutex_);
    if (!is_live()) load_tail(false);
}

// The blocks that are not known yet, up to those of a commit record. Where all of them is to be
// verified, it ends before the first one that is not as it was written.
file::Commit FileRows::find_blocks(const file::Commit& commit, Verify verify) const {
    BlockReader reader(head_.columns, head_.id);
    file::Commit found = commit;
    found.block_rows = blocks_.empty() ? 0 : commit_.block_rows;
    found.n_blocks = blocks_.size();
    found.blocks_end = blocks_.empty() ? head_.blocks_begin() : commit_.blocks_end;
    try {
        while (found.blocks_end < commit.blocks_end) {
            const auto [block, next] = [&] {
                try {
                    return reader.find(file_, found.blocks_end, commit.blocks_end);
                } catch (const DataError&) {
                    if (verify == Verify::All) throw;
                    return reader.find_around(file_, found.blocks_end, commit.blocks_end,
                                              found.block_rows, commit.block_rows);
                }
            }();
            if (block.first_row != found.block_rows || next == found.blocks_end) {
                file::fail_damaged(file_, "its blocks do not follow one another");
            }
            if (verify == Verify::All) {
                for (std::size_t c = 0; c < head_.columns.size(); ++c) {
                    reader.column(file_, block, c);
                }
            }
            blocks_.push_back(block);
            found.block_rows += block.n_rows;
            ++found.n_blocks;
            found.blocks_end = next;
        }
    } catch (const DataError&) {
        if (verify == Verify::Heads) throw;
    }
    return found;
}

void FileRows::extend_index(const file::Commit& commit) const {
    if (commit.n_blocks > 0 && commit.blocks_end > file_.size()) {
        file::fail_damaged(file_, "it ends before the blocks that its header tells of");
    }
    const file::Commit found = find_blocks(commit, Verify::Heads);
    if (found.block_rows != commit.block_rows || found.n_blocks != commit.n_blocks) {
        file::fail_damaged(file_, "its blocks do not hold the rows that its header tells of");
    }
    commit_ = commit;
}

// A copy of a tail, with as many of its records as are whole.
std::shared_ptr<FileRows::Snapshot> FileRows::read_tail(const file::Commit& commit,
                                                        std::uint64_t in_tail) const {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->first_row = commit.block_rows;
    const std::uint64_t needed =
        records_.any_ragged() ? head_.tail_bytes : Tail::head_bytes + in_tail * records_.stride();
    snapshot->bytes.resize(std::min(head_.tail_bytes, needed));
    snapshot->bytes.resize(file_.read(head_.tail_begin(commit.tail_generation), snapshot->bytes));
    std::span<const std::byte> left(snapshot->bytes);
    left = left.subspan(std::min(left.size(), Tail::head_bytes));
    const std::uint32_t seed = file::record_seed(head_.id, commit.tail_generation);
    while (snapshot->records.size() < in_tail) {
        const auto stride =
            records_.check(left, commit.block_rows + snapshot->records.size(), seed);
        if (!stride) break;
        snapshot->records.push_back(left.data());
        left = left.subspan(*stride);
    }
    return snapshot;
}

void FileRows::fail_tail(std::uint64_t row) const {
    file::fail_damaged(file_, "row " + std::to_string(row) +
                                  ", in its tail, does not have the checksum that is written with "
                                  "it");
}

void FileRows::load_tail(bool with_rows) const {
    for (int tries = 0;; ++tries) {
        const auto [commit, in_tail] = file::read_counts(file_, head_);
        if (is_cut_ && commit.sequence == commit_.sequence) return;  // nobody has written since
        is_cut_ = false;
        extend_index(commit);
        size_.store(commit.block_rows + in_tail, std::memory_order_release);
        if (!with_rows) return;

        auto snapshot = read_tail(commit, in_tail);
        if (snapshot->records.size() == in_tail) {
            snapshot_ = std::move(snapshot);
            return;
        }
        // The writer may have begun with the tail anew meanwhile; if not, this is what is there.
        if (file::read_counts(file_, head_).commit.sequence == commit.sequence && tries > 2) {
            fail_tail(commit.block_rows + snapshot->records.size());
        }
        if (tries == max_tries) throw StateError("the rows of a chain change too fast to be read");
    }
}

template <typename Copy>
std::vector<BlockRef> FileRows::find(std::uint64_t start, std::uint64_t stop, std::uint64_t step,
                                     Copy&& copy) const {
    const std::lock_guard lock(mutex_);
    if (start >= stop) return {};
    const bool live = is_live();
    if (!live && stop > commit_.block_rows) {
        const std::uint64_t from = std::max(start, commit_.block_rows);
        const bool is_there = snapshot_ && snapshot_->first_row <= from &&
                              snapshot_->first_row + snapshot_->records.size() >= stop;
        if (!is_there) load_tail(true);
    }
    const auto begins_before = [](const BlockRef& block, std::uint64_t row) {
        return block.first_row < row;
    };
    const auto first = std::ranges::lower_bound(blocks_, start, {}, [](const BlockRef& block) {
        return block.first_row + block.n_rows - 1;
    });
    const auto last = std::lower_bound(first, blocks_.end(), stop, begins_before);

    const std::uint64_t in_blocks = commit_.block_rows;
    std::uint64_t row = first_from(in_blocks, start, step);
    if (row < stop && live) {
        const std::byte* record = tail_->data() + Tail::head_bytes;
        if (!records_.any_ragged()) {
            for (; row < stop; row += step) copy(record + (row - in_blocks) * records_.stride());
        } else {
            for (std::uint64_t at = in_blocks; row < stop; ++at) {
                if (at == row) {
                    copy(record);
                    row += step;
                }
                record += records_.stride_of(record);
            }
        }
    } else {
        for (; row < stop; row += step) copy(snapshot_->records[row - snapshot_->first_row]);
    }
    return {first, last};
}

Rows::Span FileRows::read(std::size_t column, std::uint64_t start, std::uint64_t stop,
                          std::uint64_t step) const {
    const std::uint64_t n = file::count_rows(start, stop, step);
    const std::size_t bytes = head_.columns[column].bytes;
    const std::shared_ptr<std::byte> memory = allocate(n, bytes);
    const std::size_t offset = records_.offset(column);
    std::vector<std::byte> tail;
    const auto blocks = find(start, stop, step, [&](const std::byte* record) {
        tail.insert(tail.end(), record + offset, record + offset + bytes);
    });
    std::byte* to = memory.get();
    BlockReader reader(head_.columns, head_.id);
    for (const BlockRef& block : blocks) {
        const std::uint64_t end = std::min(block.first_row + block.n_rows, stop);
        const std::uint64_t from = first_from(block.first_row, start, step);
        if (from >= end) continue;
        const std::uint64_t count = file::count_rows(from, end, step);
        if (count == block.n_rows) {
            reader.column(file_, block, column, {to, count * bytes});
        } else {
            const auto values = reader.column(file_, block, column);
            file::gather(to, values.data() + (from - block.first_row) * bytes, step * bytes, count,
                         bytes);
        }
        to += count * bytes;
    }
    if (!tail.empty()) std::memcpy(to, tail.data(), tail.size());
    return {memory, memory.get(), bytes, n};
}

Rows::Items FileRows::read_items(std::size_t column, std::uint64_t start, std::uint64_t stop,
                                 std::uint64_t step) const {
    ItemList items;
    ItemList in_tail;
    const auto blocks = find(start, stop, step, [&](const std::byte* record) {
        in_tail.add(records_.item(record, column));
    });
    BlockReader reader(head_.columns, head_.id);
    for (const BlockRef& block : blocks) {
        const auto values = reader.column(file_, block, column);
        const auto kept = values.subspan((block.n_rows + 1) * 8);
        const std::uint64_t end = std::min(block.first_row + block.n_rows, stop);
        for (std::uint64_t row = first_from(block.first_row, start, step); row < end; row += step) {
            const std::byte* const at = values.data() + (row - block.first_row) * 8;
            const auto item_begin = file::load<std::uint64_t>(at);
            const auto item_end = file::load<std::uint64_t>(at + 8);
            if (item_begin > item_end || item_end > kept.size()) {
                file::fail_damaged(file_, "the items of a block are not where it tells");
            }
            items.add(kept.subspan(item_begin, item_end - item_begin));
        }
    }
    items.add(in_tail);
    return std::move(items).take();
}

}  // namespace drawstore
