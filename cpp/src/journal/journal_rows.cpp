#include "journal/journal_rows.hpp"

#include <algorithm>
#include <utility>

#include "drawstore/error.hpp"

namespace drawstore {

using file::RecordLayout;
using file::TailCount;
using journal::first_record;
using journal::Segment;
using journal::Segments;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::size_t first_segment = 64 * kib;   // of a chain
constexpr std::size_t full_segment = 1 * mib;     // about what stays in the second cache
constexpr std::size_t largest_segment = 8 * mib;  // but for a single row
constexpr std::size_t rows_in_segment = 8;

// The size of a chain's next segment, after so many others.
std::size_t wanted_bytes(std::size_t stride, std::size_t n_taken) {
    const std::size_t rows = rows_in_segment * stride + journal::head_bytes + first_record;
    const std::size_t enough = rows > largest_segment ? 0 : rows;
    return std::max(enough, std::min(full_segment, first_segment << (2 * n_taken)));
}

}  // namespace

journal::Stretch::Stretch(std::shared_ptr<Segments> all, std::unique_ptr<Segment> taken,
                          std::uint64_t first)
    : segments(std::move(all)),
      segment(std::move(taken)),
      first_row(first),
      generation(segments->next_generation()),
      seed(file::record_seed(segments->id(), generation)) {}

journal::Stretch::~Stretch() {
    if (!is_needed || segments->is_in_memory()) segments->give_back(std::move(segment));
}

JournalRows::JournalRows(std::vector<Column> columns, std::shared_ptr<Segments> segments,
                         const journal::Id& id, std::string label, std::uint64_t first_row,
                         std::uint32_t previous_sum)
    : Rows(std::move(columns)),
      segments_(std::move(segments)),
      counts_(segments_->begin(id, first_row)),
      label_(std::move(label)),
      records_(this->columns()),
      columns_sum_(journal::columns_sum(this->columns())),
      columns_(this->columns().size()),
      strides_(this->columns().size(), records_.stride()),
      released_sum_(previous_sum) {}

JournalRows::~JournalRows() {
    const bool has_file = !segments_->is_in_memory() && !segments_->is_of_parent();
    if (has_file && released() < size()) segments_->keep(counts_->id);
}

void JournalRows::begin() {
    if (appending_.exchange(true, std::memory_order_acquire)) {
        throw StateError(
            "another thread is appending to this chain; one writer at a time, or a chain a thread");
    }
    try {
        segments_->check_open();
        segments_->check_lock();
        if (closed_) throw StateError("this chain is closed; resume it to append");
    } catch (...) {
        appending_.store(false, std::memory_order_release);
        throw;
    }
}

Rows::Slots JournalRows::room(std::uint64_t at_most, std::span<const std::size_t> item_bytes) {
    const bool ragged = records_.any_ragged();
    const std::uint64_t stride = ragged ? records_.stride(item_bytes) : records_.stride();
    if (stride > RecordLayout::max_bytes) {
        throw ValueError("a draw of " + std::to_string(stride) +
                         " bytes is too large for a journal, which takes " +
                         std::to_string(RecordLayout::max_bytes));
    }
    if (!current_.stretch || current_.end + stride > current_.stretch->segment->capacity() ||
        current_.n_rows == TailCount::mask) {
        take_segment(static_cast<std::size_t>(stride));
    }
    std::byte* const record = current_.stretch->segment->memory().get() + current_.end;
    const std::uint64_t first = current_.n_rows;
    std::uint64_t n = 1;
    if (ragged) {
        for (std::size_t c = 0; c < columns_.size(); ++c) columns_[c] = record + records_.offset(c);
        file::store(record + 8, static_cast<std::uint32_t>(stride - RecordLayout::head_bytes));
        records_.place_items(record, item_bytes, columns_);
        records_.clear_gaps(record, item_bytes);
    } else if (at_most > 1) {
        const std::uint64_t fitting =
            (current_.stretch->segment->capacity() - current_.end) / stride;
        n = std::min({at_most, fitting, TailCount::mask - first});
    }
    for (std::uint64_t i = 0; i < n && !ragged; ++i) {
        records_.clear_gaps(record + i * stride, {});
    }
    current_.end += n * stride;
    current_.n_rows += static_cast<std::uint32_t>(n);
    pending_ += n;
    return {columns_.data(), strides_.data(), ragged ? 0 : first, n};
}

void JournalRows::take_segment(std::size_t stride) {
    const std::size_t asked = segments_->segment_bytes();
    auto segment = segments_->take(stride, asked ? asked : wanted_bytes(stride, n_taken_));
    auto stretch = std::make_shared<Stretch>(segments_, std::move(segment), size() + pending_);
    full_.reserve(full_.size() + 1);
    if (current_.stretch) full_.push_back(std::move(current_));
    go_on({std::move(stretch), first_record, 0});
    n_taken_ = std::min<std::size_t>(n_taken_ + 1, 4);
}

void JournalRows::go_on(Part part) {
    current_ = std::move(part);
    if (!current_.stretch) return;
    std::byte* const first = current_.stretch->segment->memory().get() + first_record;
    for (std::size_t c = 0; c < columns_.size(); ++c) columns_[c] = first + records_.offset(c);
}

// Does for rows what may fail, but for the counting. `row` is the first of them, `last` the record
// before it, where that belongs to the same transaction.
void JournalRows::prepare(const Part& part, std::uint64_t& row, const std::byte*& last) {
    Stretch& stretch = *part.stretch;
    std::byte* const memory = stretch.segment->memory().get();
    const std::size_t begin = stretch.end.load(std::memory_order_relaxed);
    if (stretch.first_row >= size()) {  // it is a new one
        const std::uint32_t sum = last ? RecordLayout::row_sum(last) : sum_of(row - 1);
        stretch.segment->begin_use(
            {stretch.generation, counts_->id, row, sum, columns_sum_, label_});
    }
    for (std::size_t at = begin; at < part.end; ++row) {
        std::byte* const record = memory + at;
        const std::size_t stride =
            records_.any_ragged() ? RecordLayout::stride_of(record) : records_.stride();
        RecordLayout::seal(record, stride, row, stretch.seed);
        last = record;
        at += stride;
    }
    stretch.segment->write(begin, part.end);
}

// Makes the rows of a part count.
void JournalRows::publish(const Part& part) {
    part.stretch->segment->publish({part.stretch->generation & TailCount::mask, part.n_rows});
    part.stretch->end.store(part.end, std::memory_order_relaxed);
    part.stretch->n_rows.store(part.n_rows, std::memory_order_relaxed);
}

void JournalRows::commit() {
    try {
        if (pending_ > 0) {
            std::uint64_t row = size();
            const std::byte* last = nullptr;
            for (const Part& part : full_) prepare(part, row, last);
            prepare(current_, row, last);
            if (current_.stretch->first_row >= size()) hold();
            for (const Part& part : full_) publish(part);
            publish(current_);
            counts_->size.store(row, std::memory_order_release);
            segments_->mark_dirty(current_.end - (full_.empty() ? committed_end_ : 0));
            committed_end_ = current_.end;
            pending_ = 0;
            if (!full_.empty()) retire();
        }
    } catch (...) {
        abandon();
        throw;
    }
    appending_.store(false, std::memory_order_release);
}

// Has readers find the stretches that the transaction began.
void JournalRows::hold() {
    const std::lock_guard lock(mutex_);
    const std::size_t before = stretches_.size();
    try {
        for (const Part& part : full_) {
            if (part.stretch->first_row >= size()) stretches_.push_back(part.stretch);
        }
        stretches_.push_back(current_.stretch);
    } catch (...) {
        stretches_.resize(before);
        throw;
    }
    for (std::size_t i = before; i < stretches_.size(); ++i) stretches_[i]->is_needed = true;
}

void JournalRows::retire() noexcept {
    {
        const std::lock_guard lock(mutex_);
        for (const Part& part : full_) part.stretch->segment->retire();
    }
    full_.clear();
}

void JournalRows::abandon() noexcept {
    if (pending_ > 0 || !full_.empty()) {
        Part& first = full_.empty() ? current_ : full_.front();
        const bool is_older = first.stretch->first_row < size();
        Part back = is_older ? std::move(first) : Part();
        if (back.stretch) {
            back.end = committed_end_;
            back.n_rows = static_cast<std::uint32_t>(size() - back.stretch->first_row);
            take_back(back);
        }
        {
            const std::lock_guard lock(mutex_);
            while (!stretches_.empty() && stretches_.back()->first_row >= size()) {
                stretches_.back()->is_needed = false;  // the transaction has it, too
                stretches_.pop_back();
            }
        }
        full_.clear();
        go_on(std::move(back));
        pending_ = 0;
    }
    appending_.store(false, std::memory_order_release);
}

// Where a part was made to count and another one could not be.
void JournalRows::take_back(const Part& part) noexcept {
    if (part.stretch->n_rows == part.n_rows) return;
    try {
        publish(part);
    } catch (const SystemError&) {
        // The next rows have the numbers of these.
        part.stretch->end = part.end;
        part.stretch->n_rows = part.n_rows;
    }
}

std::uint32_t JournalRows::sum_of(std::uint64_t row) const {
    segments_->check_process();
    const std::lock_guard lock(mutex_);
    if (row + 1 == released() && !is_discarded_) return released_sum_;
    return RecordLayout::row_sum(records_of(find(row, row + 1).front()).at);
}

// Drops the stretches that hold no row any more, for the caller to let go of when it does not hold
// the lock, which it does now.
std::vector<std::shared_ptr<journal::Stretch>> JournalRows::drop() {
    std::vector<std::shared_ptr<Stretch>> dropped;
    dropped.reserve(stretches_.size() + 1);
    const bool is_done = closed_ && released() == size();
    while (!stretches_.empty()) {
        const bool is_last = stretches_.size() == 1;
        if (is_last ? !is_done : stretches_[1]->first_row > released()) break;
        stretches_.front()->is_needed = false;
        dropped.push_back(std::move(stretches_.front()));
        stretches_.pop_front();
    }
    if (is_done) {
        dropped.push_back(std::move(current_.stretch));
        segments_->end(*counts_);
    }
    return dropped;
}

void JournalRows::release(std::uint64_t row) {
    segments_->check_process();
    if (row > size()) {
        throw ValueError(label_ + " has " + std::to_string(size()) + " rows, not " +
                         std::to_string(row));
    }
    std::vector<std::shared_ptr<Stretch>> dropped;
    const std::lock_guard lock(mutex_);
    if (row <= released()) return;
    released_sum_ = RecordLayout::row_sum(records_of(find(row - 1, row).front()).at);
    counts_->released.store(row, std::memory_order_release);
    dropped = drop();
}

void JournalRows::stop_appending() {
    if (closed_) return;
    if (appending_.exchange(true, std::memory_order_acquire)) {
        throw StateError("another thread is appending to this chain, which cannot be closed now");
    }
    closed_ = true;  // from now on `current_` is not the writer's alone: the mutex guards it
    appending_.store(false, std::memory_order_release);
}

void JournalRows::close() {
    stop_appending();
    if (segments_->is_of_parent()) return;
    std::vector<std::shared_ptr<Stretch>> dropped;
    const std::lock_guard lock(mutex_);
    dropped = drop();
}

void JournalRows::discard() {
    segments_->check_process();
    stop_appending();
    std::vector<std::shared_ptr<Stretch>> dropped;
    const std::lock_guard lock(mutex_);
    is_discarded_ = true;
    counts_->released.store(size(), std::memory_order_release);
    dropped = drop();
}

void JournalRows::flush(bool sync) {
    if (sync) segments_->sync();  // else rows are where they are kept once they are committed
}

}  // namespace drawstore
