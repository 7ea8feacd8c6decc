#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "file/file_rows.hpp"
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
constexpr int max_tries = 1000;  // of a reader that finds a writer at work

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

// An odd number, so that the other tail comes next. Generations that a loss of power took away are
// not used again.
std::uint32_t random_jump() {
    std::random_device random;
    for (;;) {
        const auto jump = static_cast<std::uint32_t>(random()) | 1;
        if (((jump + 1) & file::TailCount::mask) != 0) return jump;
    }
}

}  // namespace

FileRows::FileRows(File file, file::Head head, bool may_write, const Options& options)
    : Rows(head.columns),
      file_(std::move(file)),
      may_write_(may_write),
      options_(options),
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

FileRows::~FileRows() {
    try {
        if (is_live()) close();
    } catch (...) {
        // Who wants to know closes it himself.
    }
    background_.reset();
}

std::unique_ptr<FileRows> FileRows::create(const std::filesystem::path& path,
                                           std::uint32_t chain_number, std::vector<Column> columns,
                                           Options options) {
    if (!file::is_little_endian) {
        throw StateError("stores in files do not work on big-endian processors yet");
    }
    file::Head head;
    head.id = options.id ? *options.id : file::random_id();
    head.chain_number = chain_number;
    head.columns = std::move(columns);
    head.tail_offset = file::round_up(file::page + 16 * head.columns.size(), file::page);
    head.tail_bytes = options.tail_bytes
                          ? file::round_up(options.tail_bytes, file::page)
                          : tail_bytes_for(file::RecordLayout(head.columns).stride());
    file::Commit commit;
    commit.blocks_end = head.blocks_begin();
    commit.tail_generation = 2;  // in the first tail

    File made = File::create(temporary_name(path, head.id));
    try {
        made.write(0, file::encode(head, commit));
        made.allocate(head.tail_offset,
                      head.tail_offset + std::min<std::uint64_t>(first_tail, head.tail_bytes));
        made.sync();  // who finds its name finds a file
    } catch (...) {
        made.remove();
        throw;
    }
    std::unique_ptr<FileRows> rows(new FileRows(std::move(made), std::move(head), true, options));
    try {
        rows->start_writing(path);
        rows->generation_jump_ = 1;  // nothing was there before
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
    std::unique_ptr<FileRows> rows(new FileRows(std::move(file), std::move(head), true, options));
    rows->start_writing();
    return rows;
}

std::unique_ptr<FileRows> FileRows::open_to_read(const std::filesystem::path& path) {
    File file = File::open_to_read(path);
    file.expect_scattered_reads();
    file::Head head = file::read_head(file);
    std::unique_ptr<FileRows> rows(new FileRows(std::move(file), std::move(head), false, {}));
    rows->settle();
    return rows;
}

std::uint64_t FileRows::count_rows(const std::filesystem::path& path) {
    return open_to_read(path)->size();
}

// Finds out what is there. Up to the last sync that is known it must all be; what came later is
// looked at whole, and ends where a loss of power left something out.
void FileRows::settle() {
    for (int tries = 0; !try_to_settle(tries == max_tries); ++tries) {
    }
}

// How many rows of a tail follow the blocks of a commit record, which gets its generation.
std::uint64_t FileRows::find_tail(file::Commit& commit) const {
    if (!head_.has_two_tails()) {
        const std::uint32_t generation = synced_.commit.tail_generation;
        bool unused = false;
        const auto count = file::read_tail_count(file_, head_.tail_offset, id_sum_, unused);
        if (commit.n_blocks == synced_.commit.n_blocks && count &&
            count->generation == (generation & file::TailCount::mask)) {
            commit.tail_generation = generation;
            return count->rows;
        }
        file::fail_damaged(file_, "its last block is not as it was written");
    }
    std::uint64_t most = 0;
    for (const std::uint32_t which : {0, 1}) {
        const auto tail = file::find_tail(file_, head_.tail_begin(which), id_sum_);
        if (!tail || tail->use.first_row != commit.block_rows || tail->rows <= most) continue;
        if (head_.tail_of(tail->use.generation) != which) continue;
        most = tail->rows;
        commit.tail_generation = tail->use.generation;
    }
    // A tail that is needed is there.
    if (most == 0 && commit.n_blocks == synced_.commit.n_blocks && synced_.in_tail > 0) {
        commit.tail_generation = synced_.commit.tail_generation;
    }
    return most;
}

bool FileRows::try_to_settle(bool is_last_try) {
    synced_ = file::read_synced(file_, head_);
    const auto [commit, counted] = file::read_counts(file_, head_);
    const auto has_changed = [&] {
        return !is_last_try && file::read_commit(file_, head_).sequence != commit.sequence;
    };
    if (commit.sequence < synced_.commit.sequence) {
        if (has_changed()) return false;
        file::fail_damaged(file_, "its commit records are older than what it knows to be durable");
    }
    blocks_.clear();
    commit_ = {};
    snapshot_.reset();
    extend_index(synced_.commit);
    commit_ = synced_.commit;
    file::Commit found = find_blocks(commit, Verify::All);
    std::uint64_t in_tail = counted;
    is_cut_ = found.n_blocks < commit.n_blocks || found.block_rows < commit.block_rows;
    if (is_cut_) {
        if (has_changed()) return false;
        in_tail = find_tail(found);
    }
    const bool is_synced_tail = found.tail_generation == synced_.commit.tail_generation;
    const std::uint64_t at_least = is_synced_tail ? synced_.in_tail : 0;
    std::uint64_t whole = in_tail;
    if (is_cut_ || in_tail > at_least) {
        snapshot_ = read_tail(found, in_tail);
        whole = snapshot_->records.size();
    }
    if (whole < in_tail || in_tail < at_least) {
        if (has_changed()) return false;
        if (whole < at_least || !head_.has_two_tails()) fail_tail(found.block_rows + whole);
        is_cut_ = true;
    }
    commit_ = found;
    size_.store(found.block_rows + whole, std::memory_order_release);
    return true;
}

// The lock has a descriptor of its own, which a forked child does not keep. It goes by the name
// that the file has, or is to get.
void FileRows::take_lock(const std::filesystem::path& name) {
    File lock = File::open_to_write(file_.path());
    if (!lock.try_lock(name)) {
        const std::string beside = lock_file_holder(name);
        throw StateError("chain " + std::to_string(head_.chain_number) + " in '" + name.string() +
                         "' is being written by " +
                         (beside.empty() ? file::read_holder(file_) : beside) +
                         "; one writer at a time: wait until it ends, or write another chain");
    }
    lock_ = std::move(lock);
    file::write_holder(file_);
}

void FileRows::start_writing(const std::filesystem::path& name) {
    take_lock(name);
    background_.reset();
    {
        const std::lock_guard lock(mutex_);
        for (auto& tail : tails_) tail.reset();
        settle();
        const std::uint64_t in_tail = size() - commit_.block_rows;
        if (!snapshot_) snapshot_ = read_tail(commit_, in_tail);
        if (snapshot_->records.size() < in_tail) {
            fail_tail(commit_.block_rows + snapshot_->records.size());
        }
        used_ = Tail::head_bytes;
        for (const std::byte* const record : snapshot_->records) {
            used_ += records_.stride_of(record);
        }
        end_ = used_;
        snapshot_.reset();
        generation_jump_ = head_.has_two_tails() ? random_jump() : 1;
        file::Commit commit = commit_;
        if (is_cut_) {
            ++commit.sequence;
            if (in_tail == 0) commit.tail_generation = next_generation();
        }
        use_tail(commit.tail_generation);
        // A writer that died may have left the count of the last use of the tail.
        if (head_.has_two_tails()) {
            tail_->begin_use({commit.block_rows, commit.tail_generation});
        }
        tail_->publish({commit.tail_generation, static_cast<std::uint32_t>(in_tail)}, used_, used_);
        if (is_cut_) file::write_commit(file_, head_, commit);
        commit_ = commit;
        is_cut_ = false;
        writer_.emplace(head_.columns, head_.id);
    }
    begin_afresh();
    background_.emplace([this] { sync(); }, options_.sync_interval);
    closed_ = false;
}

void FileRows::use_tail(std::uint32_t generation) {
    const std::size_t which = head_.tail_of(generation);
    prepare_tail(which);
    tail_ = &*tails_[which];
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        columns_[c] = tail_->data() + Tail::head_bytes + records_.offset(c);
    }
    seed_ = file::record_seed(head_.id, generation);
}

void FileRows::prepare_tail(std::size_t which) {
    if (tails_[which]) return;
    const std::uint64_t begin = head_.tail_offset + which * head_.tail_bytes;
    // The first one begins small.
    const std::uint64_t needed =
        which == 0 ? std::min<std::uint64_t>(first_tail, head_.tail_bytes) : head_.tail_bytes;
    if (file_.size() < begin + needed) file_.allocate(begin, begin + needed);
    const std::uint64_t capacity =
        std::min(head_.tail_bytes, (file_.size() - begin) / file::page * file::page);
    tails_[which].emplace(file_, begin, capacity, head_.tail_bytes, id_sum_, options_.tail);
}

// What was written and does not count must not come back: other rows will be in its place. So it
// goes from the disk before they come, once nothing needs it.
void FileRows::begin_afresh() {
    if (needs_sync()) sync();
    bool changed = tail_->clear_behind(used_);
    if (head_.has_two_tails()) {
        const std::uint64_t other = head_.tail_begin(commit_.tail_generation + 1);
        if (file::find_tail(file_, other, id_sum_)) {
            constexpr std::array<std::byte, Tail::head_bytes> nothing{};
            file_.write(other, nothing);
            changed = true;
        }
    }
    if (file_.size() > commit_.blocks_end) {
        file_.shorten(commit_.blocks_end);
        changed = true;
    }
    if (changed) file_.sync();
    has_stale_bytes_ = false;
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

bool FileRows::is_mapped() const {
    const std::lock_guard lock(mutex_);
    return tail_ && tail_->is_mapped();
}

}  // namespace drawstore
