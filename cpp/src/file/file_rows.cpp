#include "file/file_rows.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "file/fork.hpp"

namespace drawstore {

using file::File;
using file::Tail;

namespace {

constexpr std::size_t room_bytes = std::size_t{4} << 20;  // of a block that is handed out

}  // namespace

bool FileRows::is_live() const noexcept {
    return !closed_.load(std::memory_order_acquire) && fork_generation_ == file::fork_generation();
}

void FileRows::check_process() const {
    if (fork_generation_ == file::fork_generation()) return;
    throw StateError(
        "this chain belongs to the process that forked this one; make the backend in the child");
}

void FileRows::begin() {
    if (appending_.exchange(true, std::memory_order_acquire)) {
        throw StateError(
            "another thread is appending to this chain; one writer at a time, or a chain a thread");
    }
    try {
        if (is_live()) {
            lock_.check_lock();
            return background_->check();
        }
    } catch (...) {
        appending_.store(false, std::memory_order_release);
        throw;
    }
    appending_.store(false, std::memory_order_release);
    check_process();
    throw StateError(may_write_ ? "this chain is closed; resume it to append"
                                : "this chain was opened to read only");
}

Rows::Slots FileRows::room(std::uint64_t at_most, std::span<const std::size_t> item_bytes) {
    if (room_rows_ > 0) write_room();
    if (has_stale_bytes_ && pending_ == 0 && pending_blocks_.empty()) begin_afresh();
    const bool ragged = records_.any_ragged();
    const std::uint64_t stride = ragged ? records_.stride(item_bytes) : records_.stride();
    const std::uint64_t most = head_.tail_bytes - Tail::head_bytes;
    const bool many = !ragged && (!pending_blocks_.empty() || at_most >= most / 2 / stride + 1);
    if (many || stride > most) return room_in_block(ragged ? 1 : at_most, item_bytes);
    return room_in_tail(ragged ? 1 : at_most, static_cast<std::size_t>(stride), item_bytes);
}

Rows::Slots FileRows::room_in_tail(std::uint64_t at_most, std::size_t stride,
                                   std::span<const std::size_t> item_bytes) {
    if (end_ + stride > tail_->capacity()) grow_tail(stride);
    std::byte* const record = tail_->data() + end_;
    if (records_.any_ragged()) {
        for (std::size_t c = 0; c < columns_.size(); ++c) columns_[c] = record + records_.offset(c);
        file::store(record + 8,
                    static_cast<std::uint32_t>(stride - file::RecordLayout::head_bytes));
        records_.place_items(record, item_bytes, columns_);
        end_ += stride;
        ++pending_;
        return {columns_.data(), record_strides_.data(), 0, 1};
    }
    const std::uint64_t n =
        at_most == 1 ? 1 : std::min<std::uint64_t>(at_most, (tail_->capacity() - end_) / stride);
    const std::uint64_t first =
        size_.load(std::memory_order_relaxed) - commit_.block_rows + pending_;
    end_ += n * stride;
    pending_ += n;
    return {columns_.data(), record_strides_.data(), first, n};
}

void FileRows::grow_tail(std::size_t stride) {
    // While there are no blocks it can become larger where it is.
    if (commit_.n_blocks == 0 && pending_blocks_.empty()) {
        tail_->grow_to(std::max(4 * tail_->capacity(), file::round_up(end_ + stride, file::page)));
    }
    if (end_ + stride > tail_->capacity()) turn_over();
}

Rows::Slots FileRows::room_in_block(std::uint64_t at_most,
                                    std::span<const std::size_t> item_bytes) {
    turn_over();
    const std::uint64_t fitting = room_bytes / std::max(row_bytes_, std::size_t{1});
    const std::uint64_t n = std::min(at_most, std::max<std::uint64_t>(fitting, 1));
    const auto places = writer_->room(n, item_bytes);
    room_rows_ = n;
    return {places.data(), block_strides_.data(), 0, n};
}

void FileRows::collect(const Tail& tail, std::size_t from, std::size_t until) {
    rows_.clear();
    while (from < until) {
        rows_.push_back(tail.data() + from);
        from += records_.any_ragged() ? records_.stride_of(rows_.back()) : records_.stride();
    }
}

void FileRows::turn_over() {
    // The first block lies behind them.
    tail_->grow_to(head_.tail_bytes);
    if (head_.has_two_tails()) {
        for (std::size_t which : {0, 1}) prepare_tail(which);
        tails_[0]->grow_to(head_.tail_bytes);
    }
    const std::size_t from = used_;
    const Tail& tail = *tail_;  // in which the rows of this append stay
    if (pending_blocks_.empty()) {
        pending_end_ = commit_.blocks_end;
        if (const std::uint64_t n = size() - commit_.block_rows; n > 0) {
            collect(*tail_, Tail::head_bytes, used_);
            has_stale_bytes_ = true;
            const std::uint64_t bytes =
                writer_->write_records(file_, pending_end_, commit_.block_rows, records_, rows_);
            pending_blocks_.push_back({pending_end_, commit_.block_rows, n});
            pending_end_ += bytes;
            pending_rows_ += n;
            commit_blocks();
        }
    }
    write_pending(tail, from);
}

void FileRows::write_pending(const Tail& tail, std::size_t from) {
    if (pending_ > 0) {
        collect(tail, from, end_);
        has_stale_bytes_ = true;
        const std::uint64_t first = commit_.block_rows + pending_rows_;
        const std::uint64_t bytes =
            writer_->write_records(file_, pending_end_, first, records_, rows_);
        pending_blocks_.push_back({pending_end_, first, pending_});
        pending_end_ += bytes;
        pending_rows_ += pending_;
        pending_ = 0;
    }
    end_ = used_;
}

void FileRows::write_room() {
    const std::uint64_t first = commit_.block_rows + pending_rows_;
    has_stale_bytes_ = true;
    const std::uint64_t bytes = writer_->write_room(file_, pending_end_, first);
    pending_blocks_.push_back({pending_end_, first, room_rows_});
    pending_end_ += bytes;
    pending_rows_ += room_rows_;
    room_rows_ = 0;
}

// The same tail again, which is in the processor's cache, unless the last sync needs it, or one
// that is under way; then the other one. A sync under way has to begin once more where both are
// needed.
std::uint32_t FileRows::next_generation() {
    const std::uint32_t other = commit_.tail_generation + std::exchange(generation_jump_, 1);
    if (!head_.has_two_tails()) return other;
    const std::uint32_t same = other + 1;  // jumps are odd
    const auto is_synced = [&](std::uint32_t generation) {
        return synced_.in_tail > 0 &&
               head_.tail_of(synced_.commit.tail_generation) == head_.tail_of(generation);
    };
    const auto is_syncing = [&](std::uint32_t generation) {
        return syncing_ && head_.tail_of(*syncing_) == head_.tail_of(generation);
    };
    if (!is_synced(same) && !is_syncing(same)) return same;
    const std::uint32_t next = is_synced(other) ? same : other;
    if (is_syncing(next)) syncing_lost_ = true;
    return next;
}

void FileRows::begin_tail(Tail& tail, const file::Commit& commit) {
    if (head_.has_two_tails()) tail.begin_use({commit.block_rows, commit.tail_generation});
    tail.publish({commit.tail_generation, 0}, Tail::head_bytes, Tail::head_bytes);
}

// Makes the pending blocks count, and nothing else: the tail is empty after that.
void FileRows::commit_blocks() {
    const std::lock_guard lock(mutex_);
    blocks_.reserve(blocks_.size() + pending_blocks_.size());
    file::Commit commit = commit_;
    ++commit.sequence;
    commit.tail_generation = next_generation();
    commit.block_rows += pending_rows_;
    commit.n_blocks += pending_blocks_.size();
    commit.blocks_end = pending_end_;
    Tail& next = *tails_[head_.tail_of(commit.tail_generation)];
    const bool moves = &next != tail_;
    try {
        if (moves) begin_tail(next, commit);
        file::write_commit(file_, head_, commit);
        if (!head_.has_two_tails()) file_.sync();  // what it holds is overwritten from here on
    } catch (...) {
        // Nobody knows which of the two the file tells of now: whoever resumes it will see.
        pending_blocks_.clear();
        stop_writing();
        throw;
    }
    commit_ = commit;
    blocks_.insert(blocks_.end(), pending_blocks_.begin(), pending_blocks_.end());
    pending_blocks_.clear();
    pending_rows_ = 0;
    used_ = Tail::head_bytes;
    has_stale_bytes_ = false;
    use_tail(commit.tail_generation);
    size_.store(commit.block_rows, std::memory_order_release);
    if (moves) return;
    try {
        begin_tail(next, commit);
    } catch (const SystemError&) {
        // The rows count already, and the old count of the tail does no more.
    }
}

void FileRows::commit() {
    try {
        if (room_rows_ > 0) write_room();
        if (!pending_blocks_.empty()) {
            write_pending(*tail_, used_);
            commit_blocks();
            end_ = used_;
            writer_->trim();
        } else if (pending_ > 0) {
            std::uint64_t row = size_.load(std::memory_order_relaxed);
            has_stale_bytes_ = true;
            for (std::size_t at = used_; at < end_; ++row) {
                std::byte* const record = tail_->data() + at;
                const std::size_t stride =
                    records_.any_ragged() ? records_.stride_of(record) : records_.stride();
                file::RecordLayout::seal(record, stride, row, seed_);
                at += stride;
            }
            tail_->publish(
                {commit_.tail_generation, static_cast<std::uint32_t>(row - commit_.block_rows)},
                used_, end_);
            used_ = end_;
            pending_ = 0;
            has_stale_bytes_ = false;
            size_.store(row, std::memory_order_release);
        }
        background_->mark_dirty();
    } catch (...) {
        abandon();
        throw;
    }
    appending_.store(false, std::memory_order_release);
}

void FileRows::abandon() noexcept {
    if (!pending_blocks_.empty()) file_.shorten(commit_.blocks_end);
    pending_blocks_.clear();
    pending_rows_ = 0;
    pending_ = 0;
    room_rows_ = 0;
    end_ = used_;
    appending_.store(false, std::memory_order_release);
}

void FileRows::flush(bool sync) {
    if (!sync || closed_) return;  // rows are where they are kept once they are committed
    check_process();
    this->sync();
}

bool FileRows::needs_sync() const {
    const std::lock_guard lock(mutex_);
    return tail_ && !synced_.is(commit_, size() - commit_.block_rows);
}

// Makes all rows durable that count when it begins, and then writes down which these are.
void FileRows::sync() {
    const std::lock_guard one_at_a_time(sync_mutex_);
    for (bool is_done = false; !is_done;) {
        file::Synced state;
        {
            const std::lock_guard lock(mutex_);
            if (!tail_) return;
            lock_.check_lock();
            state.commit = commit_;
            state.in_tail = static_cast<std::uint32_t>(size() - commit_.block_rows);
            syncing_lost_ = false;
            if (state.in_tail > 0) syncing_ = commit_.tail_generation;
        }
        try {
            file_.sync();  // mapped pages, too
            if (!folder_synced_) file::sync_folder(file_.path().parent_path());
            folder_synced_ = true;
        } catch (...) {
            const std::lock_guard lock(mutex_);
            syncing_.reset();
            throw;
        }
        const std::lock_guard lock(mutex_);
        syncing_.reset();
        if (!tail_) return;
        lock_.check_lock();
        // Rows of the tail that went into a block meanwhile are for the next time, at once.
        is_done = !syncing_lost_;
        if (!is_done) state.in_tail = 0;
        state.place = 1 - synced_.place;
        if (synced_.is(state.commit, state.in_tail)) continue;
        if (head_.has_two_tails()) file::write_synced(file_, head_, state);
        synced_ = state;
    }
}

void FileRows::close() {
    if (closed_) return;
    if (appending_.exchange(true, std::memory_order_acquire)) {
        throw StateError("another thread is appending to this chain, which cannot be closed now");
    }
    std::exception_ptr error;
    if (is_live()) {
        background_->stop();
        try {
            if (options_.sync_interval > 0 && needs_sync()) sync();
        } catch (...) {
            error = std::current_exception();
        }
    }
    {
        const std::lock_guard lock(mutex_);
        stop_writing();
    }
    appending_.store(false, std::memory_order_release);
    if (error) std::rethrow_exception(error);
}

// With mutex_ and the right to append held.
void FileRows::stop_writing() noexcept {
    closed_ = true;
    tail_ = nullptr;
    for (auto& tail : tails_) tail.reset();
    lock_.close();
}

}  // namespace drawstore
