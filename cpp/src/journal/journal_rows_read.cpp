#include <algorithm>
#include <cstring>
#include <string>

#include "drawstore/error.hpp"
#include "file/copies.hpp"
#include "file/copy.hpp"
#include "journal/journal_rows.hpp"

namespace drawstore {

using file::RecordLayout;
using journal::first_record;

std::vector<JournalRows::Kept> JournalRows::find(std::uint64_t start, std::uint64_t stop) const {
    std::vector<Kept> found;
    if (start >= stop) return found;
    if (start < released() || is_discarded_) {
        throw StateError("row " + std::to_string(start) + " of " + label_ +
                         " is not in the journal any more, which begins at row " +
                         std::to_string(released()));
    }
    if (stop > size()) {
        throw StateError(label_ + " has " + std::to_string(size()) + " rows; there is no row " +
                         std::to_string(stop - 1));
    }
    const auto begins_behind = [](std::uint64_t row, const std::shared_ptr<Stretch>& stretch) {
        return row < stretch->first_row;
    };
    auto it = std::upper_bound(stretches_.begin(), stretches_.end(), start, begins_behind) - 1;
    while (start < stop) {
        const auto& stretch = *it++;
        const std::uint64_t end = it == stretches_.end() ? stop : std::min(stop, (*it)->first_row);
        found.push_back({stretch, stretch->segment->memory(), start, end});
        start = end;
    }
    return found;
}

std::vector<JournalRows::Kept> JournalRows::keep(std::uint64_t start, std::uint64_t stop) const {
    segments_->check_process();
    const std::lock_guard lock(mutex_);
    return find(start, stop);
}

JournalRows::Records JournalRows::records_of(const Kept& kept) const {
    const Stretch& stretch = *kept.stretch;
    const std::uint64_t skipped = kept.first - stretch.first_row;
    std::size_t from = first_record;
    std::size_t bytes = stretch.end - first_record;
    if (!records_.any_ragged()) {
        from += skipped * records_.stride();
        bytes = (kept.stop - kept.first) * records_.stride();
    }
    Records records;
    if (kept.memory) {
        records = {kept.memory, kept.memory.get() + from};
    } else {
        const std::shared_ptr<std::byte> copy = file::allocate(1, bytes);
        stretch.segment->read(from, {copy.get(), bytes});
        records = {copy, copy.get()};
    }
    for (std::uint64_t i = 0; records_.any_ragged() && i < skipped; ++i) {
        records.at += RecordLayout::stride_of(records.at);
    }
    return records;
}

// Calls copy(record, stride, n) for the n records of some of the rows, which lie so far apart; with
// ragged columns, for one record at a time.
template <typename Copy>
void JournalRows::visit(std::uint64_t start, std::uint64_t stop, std::uint64_t step,
                        Copy&& copy) const {
    for (Kept& kept : keep(start, stop)) {
        const std::uint64_t first = file::first_from(kept.first, start, step);
        const std::uint64_t n = file::count_rows(first, kept.stop, step);
        if (n == 0) continue;
        kept.first = first;
        const Records records = records_of(kept);
        if (!records_.any_ragged()) {
            copy(records.at, step * records_.stride(), n);
            continue;
        }
        const std::byte* record = records.at;
        for (std::uint64_t row = first; row < kept.stop; ++row) {
            if ((row - first) % step == 0) copy(record, 0, 1);
            record += RecordLayout::stride_of(record);
        }
    }
}

Rows::Span JournalRows::read(std::size_t column, std::uint64_t start, std::uint64_t stop,
                             std::uint64_t step) const {
    const std::uint64_t n = file::count_rows(start, stop, step);
    const std::size_t bytes = columns()[column].bytes;
    const std::size_t offset = records_.offset(column);
    const std::shared_ptr<std::byte> memory = file::allocate(n, bytes);
    std::byte* to = memory.get();
    visit(start, stop, step, [&](const std::byte* record, std::size_t stride, std::uint64_t count) {
        file::gather(to, record + offset, stride, count, bytes);
        to += count * bytes;
    });
    return {memory, memory.get(), bytes, n};
}

// So many records at a time that the columns behind the first find them in the cache.
void JournalRows::copy(std::uint64_t start, std::uint64_t stop,
                       std::span<const Target> targets) const {
    constexpr std::size_t cached = 256 * 1024;
    std::uint64_t done = 0;
    visit(start, stop, 1, [&](const std::byte* record, std::size_t stride, std::uint64_t count) {
        while (count > 0) {
            const std::uint64_t n =
                std::min<std::uint64_t>(count, 1 + cached / std::max<std::size_t>(1, stride));
            for (const auto& [column, to] : targets) {
                const std::size_t bytes = columns()[column].bytes;
                file::gather(to + done * bytes, record + records_.offset(column), stride, n, bytes);
            }
            record += n * stride;
            count -= n;
            done += n;
        }
    });
}

Rows::Items JournalRows::read_items(std::size_t column, std::uint64_t start, std::uint64_t stop,
                                    std::uint64_t step) const {
    file::ItemList items;
    visit(start, stop, step, [&](const std::byte* record, std::size_t, std::uint64_t) {
        items.add(records_.item(record, column));
    });
    return std::move(items).take();
}

std::uint64_t JournalRows::bytes() const {
    segments_->check_process();
    const std::lock_guard lock(mutex_);
    const std::uint64_t first = released();
    std::uint64_t bytes = 0;
    for (const auto& stretch : stretches_) {
        const std::uint64_t n_rows = stretch->n_rows;
        const std::uint64_t gone = first > stretch->first_row ? first - stretch->first_row : 0;
        if (gone < n_rows) bytes += (stretch->end - first_record) * (n_rows - gone) / n_rows;
    }
    return bytes;
}

}  // namespace drawstore
