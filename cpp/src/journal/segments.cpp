#include "journal/segments.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <utility>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "file/fork.hpp"
#include "file/header.hpp"

namespace drawstore::journal {

using file::File;
using file::Mapping;
using file::TailCount;

namespace {

unsigned watched_fork_generation() {
    file::watch_forks();
    return file::fork_generation();
}

// What is got ready for the next rows: nothing for few of them, which can wait for their pages.
constexpr std::uint64_t ready_from = std::uint64_t{256} << 10;
constexpr std::uint64_t ready_most = std::uint64_t{64} << 20;

constexpr double at_once = 1e-9;  // seconds

constexpr std::size_t free_memory = std::size_t{16} << 20;  // that a journal in memory keeps

std::shared_ptr<std::byte> plain_memory(std::size_t bytes) {
    std::shared_ptr<std::byte> memory(static_cast<std::byte*>(std::malloc(bytes)),
                                      [](std::byte* held) { std::free(held); });
    if (!memory) throw MemoryError("the system refused memory for the newest rows of a chain");
    return memory;
}

}  // namespace

// The mapping, where there is a new one.
std::shared_ptr<Mapping> Segment::get_memory() {
    if (memory_) return nullptr;
    const std::size_t bytes = capacity();
    if (segments_.map_) {
        auto mapping =
            std::make_shared<Mapping>(Mapping::map(segments_.file_, offset_ + head_bytes, bytes));
        if (*mapping) {
            memory_ = {mapping, mapping->data()};
            is_mapped_ = true;
            return mapping;
        }
    }
    memory_ = plain_memory(bytes);  // of which a file gets what counts
    return nullptr;
}

void Segment::read(std::size_t from, std::span<std::byte> into) const {
    if (segments_.file_.read(offset_ + head_bytes + from, into) < into.size()) {
        throw DataError("the journal " + segments_.name() + " was made shorter");
    }
}

void Segment::begin_use(const Use& use) {
    if (!segments_.file_) return;
    segments_.file_.write(offset_ + use_at, encode_use(use, offset_, segments_.id_sum_));
    if (is_mapped_) Mapping::prepare(memory_.get(), capacity());
}

void Segment::write(std::size_t from, std::size_t until) {
    if (!segments_.file_ || is_mapped_ || from == until) return;
    segments_.file_.write(offset_ + head_bytes + from,
                          File::Piece(memory_.get() + from, until - from));
}

void Segment::publish(TailCount count) {
    if (!segments_.file_) return;
    is_clear_ = false;
    store_word(count.pack(segments_.id_sum_));
}

void Segment::store_word(std::uint64_t word) {
    if (is_mapped_) {
        file::about_to_change();
        // Aligned, as it begins a page.
        auto* const place = reinterpret_cast<std::uint64_t*>(memory_.get());
        std::atomic_ref(*place).store(word, std::memory_order_release);
        return;
    }
    std::array<std::byte, 8> bytes;
    file::store(bytes.data(), word);
    segments_.file_.write(offset_ + head_bytes, bytes);
}

void Segment::forget() {
    if (is_clear_) return;
    store_word(0);
    is_clear_ = true;
}

void Segment::retire() noexcept {
    if (segments_.file_ && !is_mapped_) memory_.reset();
}

Segments::Segments(std::size_t segment_bytes)
    : id_(file::random_id()),
      id_sum_(crc32c(id_)),
      segment_bytes_(segment_bytes),
      fork_generation_(watched_fork_generation()) {}

Segments::Segments(const std::filesystem::path& path, std::size_t segment_bytes, TailStore store,
                   double sync_interval)
    : Segments(segment_bytes) {
    if (!file::is_little_endian) {
        throw StateError("stores in files do not work on big-endian processors yet");
    }
    file_ = File::create(std::filesystem::absolute(path));
    end_ = header_bytes;
    try {
        file_.keep_from_children();
        lock_ = File::open_to_write(file_.path());
        if (!lock_.try_lock()) fail_locked();
        map_ = store == TailStore::Mapped || (store == TailStore::Auto && Mapping::is_safe(file_));
        file_.allocate(0, header_bytes);
        file_.write(0, encode_header(id_));
        file::write_holder(file_);
        background_.emplace([this] { sync(); }, sync_interval);
        if (map_) growth_.emplace([this] { make_ahead(); }, at_once);
    } catch (...) {
        file_.remove();
        throw;
    }
}

void Segments::fail_locked() const {
    const std::string beside = lock_file_holder(file_.path());
    throw SystemError(EAGAIN, file_.path().string(),
                      "the journal is being written by " +
                          (beside.empty() ? "another process" : beside) +
                          "; choose another path, or wait until it ends");
}

std::uint64_t Segments::bytes() const {
    const std::lock_guard lock(mutex_);
    return end_;
}

std::string Segments::name() const {
    if (!file_) return "in memory";
    std::string name = "'";
    name += file_.path().string();
    return name += "'";
}

bool Segments::is_of_parent() const noexcept { return fork_generation_ != file::fork_generation(); }

void Segments::check_process() const {
    if (!is_of_parent()) return;
    throw StateError(
        "this chain belongs to the process that forked this one; make the backend in the child");
}

void Segments::check_open() const {
    check_process();
    if (closed_) throw StateError("the journal " + name() + " is closed");
}

std::unique_ptr<Segment> Segments::take(std::size_t least, std::size_t wanted) {
    check_open();
    least += first_record;
    const std::lock_guard lock(mutex_);
    // The smallest that is large enough, or else the largest.
    const auto rank = [wanted](const Segment& segment) {
        const auto bytes = static_cast<std::int64_t>(segment.bytes_);
        const bool is_enough = segment.bytes_ >= wanted;
        return std::pair(is_enough, is_enough ? -bytes : bytes);
    };
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
        if ((*it)->capacity() < least) continue;
        if (best == free_.end() || rank(**it) >= rank(**best)) best = it;
    }
    if (best == free_.end()) {
        const std::size_t needed = file::round_up(head_bytes + least, file::page);
        best = make(needed, std::max(needed, file::round_up(wanted, file::page)));
    }
    (*best)->forget();
    watch((*best)->get_memory());
    std::unique_ptr<Segment> found = std::move(*best);
    free_.erase(best);
    if (growth_ && wanted >= ready_from) {
        ahead_bytes_.store(found->bytes_, std::memory_order_relaxed);
        if (free_.empty()) growth_->mark_dirty();
    }
    return found;
}

// In a journal that grows the next segment is there, with its pages, before it is asked for:
// getting them takes a hundred times as long as a row. Called by the syncing thread.
void Segments::make_ahead() noexcept {
    std::unique_ptr<Segment> segment;
    try {
        const std::uint64_t bytes = ahead_bytes_.load(std::memory_order_relaxed);
        {
            const std::lock_guard lock(mutex_);
            if (closed_ || !free_.empty()) return;
            const auto made = make(bytes, bytes);
            segment = std::move(*made);
            free_.erase(made);
        }
        auto mapping = segment->get_memory();
        if (segment->is_mapped_) Mapping::prepare(segment->memory_.get(), segment->capacity());
        const std::lock_guard lock(mutex_);
        watch(std::move(mapping));
        free_.push_back(std::move(segment));
    } catch (const std::exception&) {
        // Whoever needs it tries again, and is told.
    }
}

// With the lock held.
void Segments::watch(std::shared_ptr<Mapping> mapping) {
    if (mapping) mappings_.push_back(mapping);
}

// One more segment that is free, of at least so many bytes where the disk does not have `wanted`.
Segments::Free::iterator Segments::make(std::uint64_t least, std::uint64_t wanted) {
    free_.emplace_back(new Segment(*this, end_, wanted));
    try {
        if (file_) {
            file_.allocate(end_, end_ + wanted);
            file_.write(end_, encode_head(end_, wanted, id_sum_));
        }
    } catch (const SystemError&) {
        free_.pop_back();
        file_.shorten(end_);
        if (wanted <= least) throw;
        return make(least, std::max(least, file::round_up(wanted / 2, file::page)));
    }
    end_ += wanted;
    return free_.end() - 1;
}

void Segments::give_back(std::unique_ptr<Segment> segment) noexcept {
    if (is_of_parent()) return;
    const std::lock_guard lock(mutex_);
    try {
        segment->retire();
        segment->forget();
    } catch (const SystemError&) {
        // take() tries again.
    }
    try {
        free_.push_back(std::move(segment));
    } catch (const std::bad_alloc&) {
        return;
    }
    if (file_) return;
    std::uint64_t kept = 0;
    for (const auto& one : free_) kept += one->capacity();
    while (kept > free_memory) {  // the oldest go first
        kept -= free_.front()->capacity();
        end_ -= free_.front()->bytes_;
        free_.erase(free_.begin());
    }
}

std::shared_ptr<Counts> Segments::begin(const Id& chain, std::uint64_t first_row) {
    check_open();
    const std::lock_guard lock(mutex_);
    std::erase_if(chains_, [](const auto& held) { return held.expired(); });
    const auto is_it = [&](const auto& held) {
        const auto counts = held.lock();
        return counts && counts->id == chain;
    };
    if (std::ranges::any_of(chains_, is_it) || std::ranges::count(kept_, chain) > 0) {
        throw StateError("rows of this chain wait in the journal " + name() + " already");
    }
    auto counts = std::make_shared<Counts>(chain, first_row);
    chains_.push_back(counts);
    return counts;
}

void Segments::end(const Counts& chain) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(chains_, [&](const auto& held) {
        const auto counts = held.lock();
        return !counts || counts.get() == &chain;
    });
}

void Segments::keep(const Id& chain) noexcept {
    const std::lock_guard lock(mutex_);
    try {
        kept_.push_back(chain);
    } catch (const std::bad_alloc&) {
        // Nobody is warned then who begins it again.
    }
}

// Has the mappings stay out of the way of a sync.
void Segments::detach() {
    std::vector<std::shared_ptr<Mapping>> all;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(mappings_, [](const auto& held) { return held.expired(); });
        for (const auto& held : mappings_) {
            if (auto mapping = held.lock()) all.push_back(std::move(mapping));
        }
    }
    for (const auto& mapping : all) mapping->detach();
}

void Segments::sync() {
    check_process();
    const std::lock_guard one_at_a_time(sync_mutex_);
    const std::uint64_t written = written_.exchange(0, std::memory_order_relaxed);
    std::vector<std::pair<std::shared_ptr<Counts>, std::uint64_t>> reached;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& held : chains_) {
            if (auto counts = held.lock()) {
                const std::uint64_t size = counts->size.load(std::memory_order_acquire);
                reached.emplace_back(std::move(counts), size);
            }
        }
    }
    if (file_) {
        if (map_) detach();
        file_.sync();
        if (!folder_synced_) file::sync_folder(file_.path().parent_path());
        folder_synced_ = true;
    }
    for (const auto& [counts, size] : reached) {
        counts->synced.store(size, std::memory_order_release);
    }
    if (map_) make_ready(written);
}

// Free segments for about as many bytes as were written lately: they are the next to be used.
void Segments::make_ready(std::uint64_t bytes) {
    if (bytes < ready_from) return;
    std::vector<std::pair<std::shared_ptr<std::byte>, std::size_t>> next;
    {
        const std::lock_guard lock(mutex_);
        std::uint64_t left = std::min(bytes + bytes / 2, ready_most);
        for (auto it = free_.rbegin(); it != free_.rend() && left >= (*it)->capacity(); ++it) {
            if (!(*it)->is_mapped_) continue;
            next.emplace_back((*it)->memory(), (*it)->capacity());
            left -= (*it)->capacity();
        }
    }
    for (const auto& [memory, size] : next) Mapping::prepare(memory.get(), size);
}

void Segments::close(bool remove) {
    check_process();
    if (closed_.exchange(true)) return;
    if (background_) background_->stop();
    if (growth_) growth_->stop();
    if (file_ && remove && !lock_.is_lock_lost()) file_.remove();
    lock_.close();
}

}  // namespace drawstore::journal
