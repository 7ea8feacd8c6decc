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

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::size_t first_tail = 64 * kib;  // of a new file
constexpr std::size_t full_tail = 1 * mib;    // about what stays in the second cache
constexpr std::size_t largest_tail = 8 * mib;
constexpr std::size_t rows_in_tail = 8;
constexpr std::size_t room_bytes = 4 * mib;  // of a block that is handed out

std::size_t tail_bytes_for(std::size_t stride) {
    const std::size_t wanted = file::round_up(rows_in_tail * stride + Tail::head_bytes, file::page);
    if (wanted > largest_tail) return first_tail;  // such rows go straight to blocks
    return std::max(full_tail, wanted);
}

// A name beside a file that nobody else has.
std::filesystem::path temporary_name(const std::filesystem::path& path, const file::Id& id) {
    std::string name = ".";
    name += path.filename().string() + ".";
    name += std::to_string(file::load<std::uint64_t>(id.data())) + ".new";
    return path.parent_path() / name;
}

}  // namespace

FileRows::FileRows(File file, file::Head head, bool may_write, TailStore where)
    : Rows(head.columns),
      file_(std::move(file)),
      may_write_(may_write),
      where_(where),
      head_(std::move(head)),
      records_(head_.columns),
      fork_generation_(file::fork_generation()),
      id_sum_(crc32c(head_.id)),
      columns_(head_.columns.size()),
      record_strides_(head_.columns.size(), records_.stride()) {
    for (const Column& column : head_.columns) {
        if (!column.ragged) row_bytes_ += column.bytes;
        block_strides_.push_back(column.bytes);
    }
}

FileRows::~FileRows() = default;

std::unique_ptr<FileRows> FileRows::create(const std::filesystem::path& path,
                                           std::uint32_t chain_number, std::vector<Column> columns,
                                           Options options) {
    if (!file::is_little_endian) {
        throw StateError("stores in files do not work on big-endian processors yet");
    }
    file::Head head{options.id ? *options.id : file::random_id(), chain_number, std::move(columns)};
    head.tail_offset = file::round_up(file::page + 16 * head.columns.size(), file::page);
    head.tail_bytes = options.tail_bytes
                          ? file::round_up(options.tail_bytes, file::page)
                          : tail_bytes_for(file::RecordLayout(head.columns).stride());
    file::Commit commit;
    commit.blocks_end = head.blocks_begin();

    File made = File::create(temporary_name(path, head.id));
    try {
        made.write(0, file::encode(head, commit));
        made.allocate(head.tail_offset,
                      head.tail_offset + std::min<std::uint64_t>(first_tail, head.tail_bytes));
    } catch (...) {
        made.remove();
        throw;
    }
    std::unique_ptr<FileRows> rows(
        new FileRows(std::move(made), std::move(head), true, options.tail));
    try {
        rows->start_writing();
        if (rows->file_.publish_as(path)) return rows;
    } catch (...) {
        rows->file_.remove();
        throw;
    }
    rows->file_.remove();
    return nullptr;
}

std::unique_ptr<FileRows> FileRows::open_to_write(const std::filesystem::path& path,
                                                  Options options) {
    File file = File::open_to_write(path);
    file::Head head = file::read_head(file);
    std::unique_ptr<FileRows> rows(
        new FileRows(std::move(file), std::move(head), true, options.tail));
    rows->start_writing();
    return rows;
}

// The lock has a descriptor of its own, which a forked child does not keep.
void FileRows::take_lock() {
    File lock = File::open_to_write(file_.path());
    if (!lock.try_lock()) {
        throw StateError("chain " + std::to_string(head_.chain_number) + " in '" +
                         file_.path().string() + "' is being written by " +
                         file::read_holder(file_) + "; one writer at a time");
    }
    lock_ = std::move(lock);
    file::write_holder(file_);
}

void FileRows::start_writing() {
    take_lock();
    const std::lock_guard lock(mutex_);
    load_tail(true);
    const std::uint64_t behind = file_.size() - head_.tail_offset;
    const std::uint64_t capacity = std::min(head_.tail_bytes, behind / file::page * file::page);
    tail_.emplace(file_, head_.tail_offset, capacity, head_.tail_bytes, id_sum_, where_);
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        columns_[c] = tail_->data() + Tail::head_bytes + records_.offset(c);
    }
    used_ = Tail::head_bytes;
    for (const std::byte* const record : snapshot_->records) used_ += records_.stride_of(record);
    end_ = used_;
    seed_ = file::record_seed(head_.id, commit_.tail_generation);
    snapshot_.reset();
    writer_.emplace(head_.columns, head_.id);
    // A writer that died may have left the count of the last use of the tail.
    tail_->publish(
        {commit_.tail_generation, static_cast<std::uint32_t>(size() - commit_.block_rows)}, used_,
        used_);
    closed_ = false;
}

void FileRows::reopen() {
    check_process();
    if (appending_.exchange(true, std::memory_order_acquire)) return;  // so it is open
    try {
        if (closed_) start_writing();
    } catch (...) {
        lock_.close();
        appending_.store(false, std::memory_order_release);
        throw;
    }
    appending_.store(false, std::memory_order_release);
}

void FileRows::check_columns(const std::vector<Column>& columns) const {
    const auto same = [](const Column& a, const Column& b) {
        return a.bytes == b.bytes && a.ragged == b.ragged;
    };
    if (!std::ranges::equal(columns, head_.columns, same)) {
        throw DataError("the data file '" + file_.path().string() +
                        "' is not of this run: it has other columns than the run's variables "
                        "need; restore it from a copy, or delete the run");
    }
}

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
    if (is_live()) return;
    appending_.store(false, std::memory_order_release);
    check_process();
    throw StateError(may_write_ ? "this chain is closed; resume it to append"
                                : "this chain was opened to read only");
}

Rows::Slots FileRows::room(std::uint64_t at_most, std::span<const std::size_t> item_bytes) {
    if (room_rows_ > 0) write_room();
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

void FileRows::collect(std::size_t from, std::size_t until) {
    rows_.clear();
    while (from < until) {
        rows_.push_back(tail_->data() + from);
        from += records_.any_ragged() ? records_.stride_of(rows_.back()) : records_.stride();
    }
}

void FileRows::turn_over() {
    tail_->grow_to(head_.tail_bytes);  // the first block lies behind it
    const std::size_t from = used_;
    if (pending_blocks_.empty()) {
        pending_end_ = commit_.blocks_end;
        if (const std::uint64_t n = size() - commit_.block_rows; n > 0) {
            collect(Tail::head_bytes, used_);
            const std::uint64_t bytes =
                writer_->write_records(file_, pending_end_, commit_.block_rows, records_, rows_);
            pending_blocks_.push_back({pending_end_, commit_.block_rows, n});
            pending_end_ += bytes;
            pending_rows_ += n;
            commit_blocks();
        }
    }
    write_pending(from);
}

void FileRows::write_pending(std::size_t from) {
    if (pending_ > 0) {
        collect(from, end_);
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
    const std::uint64_t bytes = writer_->write_room(file_, pending_end_, first);
    pending_blocks_.push_back({pending_end_, first, room_rows_});
    pending_end_ += bytes;
    pending_rows_ += room_rows_;
    room_rows_ = 0;
}

// Makes the pending blocks count, and nothing else: the tail is empty after that.
void FileRows::commit_blocks() {
    const std::lock_guard lock(mutex_);
    blocks_.reserve(blocks_.size() + pending_blocks_.size());
    file::Commit commit = commit_;
    ++commit.sequence;
    ++commit.tail_generation;
    commit.block_rows += pending_rows_;
    commit.n_blocks += pending_blocks_.size();
    commit.blocks_end = pending_end_;
    try {
        file::write_commit(file_, head_, commit);
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
    seed_ = file::record_seed(head_.id, commit.tail_generation);
    size_.store(commit.block_rows, std::memory_order_release);
    try {
        tail_->publish({commit.tail_generation, 0}, used_, used_);
    } catch (const SystemError&) {
        // The rows count already, and the old count of the tail does no more.
    }
}

void FileRows::commit() {
    try {
        if (room_rows_ > 0) write_room();
        if (!pending_blocks_.empty()) {
            write_pending(used_);
            commit_blocks();
            end_ = used_;
            writer_->trim();
        } else if (pending_ > 0) {
            std::uint64_t row = size_.load(std::memory_order_relaxed);
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
            size_.store(row, std::memory_order_release);
        }
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
    {
        const std::lock_guard lock(mutex_);
        if (tail_) tail_->sync();
    }
    file_.sync();
    if (!folder_synced_.exchange(true)) file::sync_folder(file_.path().parent_path());
}

void FileRows::close() {
    if (closed_) return;
    if (appending_.exchange(true, std::memory_order_acquire)) {
        throw StateError("another thread is appending to this chain, which cannot be closed now");
    }
    {
        const std::lock_guard lock(mutex_);
        stop_writing();
    }
    appending_.store(false, std::memory_order_release);
}

// With mutex_ and the right to append held.
void FileRows::stop_writing() noexcept {
    closed_ = true;
    tail_.reset();
    lock_.close();
}

}  // namespace drawstore
