#include "file/heartbeat.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "file/fork.hpp"
#include "file/lock_file.hpp"

namespace drawstore::file {
namespace {

std::atomic<std::uint32_t> interval{5000};  // milliseconds
std::atomic<Heartbeat*> current{nullptr};

}  // namespace

Heartbeat& Heartbeat::get() {
    watch_forks();
    Heartbeat* found = current.load(std::memory_order_acquire);
    while (!found || !found->is_of_this_process()) {
        auto* const made = new Heartbeat(found);
        if (current.compare_exchange_strong(found, made)) return *made;
        delete made;
    }
    return *found;  // never destroyed: lock files may outlive static objects
}

void Heartbeat::set_interval(double seconds) {
    interval = static_cast<std::uint32_t>(std::clamp(std::round(seconds * 1e3), 1.0, 1e6));
}

Heartbeat::Heartbeat(Heartbeat* of_parent)
    : of_parent_(of_parent), fork_generation_(fork_generation()), program_(random_number()) {}

bool Heartbeat::is_of_this_process() const noexcept {
    return fork_generation_ == fork_generation();
}

Watch::Verdict Heartbeat::judge(Mark mark) {
    if (const auto dead = is_dead(mark, program_)) {
        return *dead ? Watch::Verdict::Dead : Watch::Verdict::Alive;
    }
    if (mark.interval == 0) mark.interval = interval;
    return watch_.look(mark);
}

Mark Heartbeat::make_mark() const {
    Mark mark = file::make_mark(program_, interval);
    mark.beat = beat_;
    return mark;
}

void Heartbeat::add(LockFile& lock) {
    const std::lock_guard guard(mutex_);
    held_.push_back(&lock);
    if (!rounds_) rounds_ = std::make_unique<BackgroundSync>([this] { beat(); }, interval / 1e3);
    rounds_->mark_dirty();
}

void Heartbeat::remove(LockFile& lock) noexcept {
    std::unique_ptr<BackgroundSync> ended;  // with no mutex held, for which a round may wait
    const std::lock_guard guard(mutex_);
    std::erase(held_, &lock);
    if (held_.empty()) ended = std::move(rounds_);
}

void Heartbeat::renew(LockFile& lock) {
    const std::lock_guard guard(mutex_);
    rounds_->mark_dirty();  // after a fork there is no thread until somebody asks for it
    lock.renew(++beat_);
}

void Heartbeat::beat() {
    const std::lock_guard lock(mutex_);
    if (held_.empty()) return;
    rounds_->mark_dirty();
    const std::uint64_t number = ++beat_;
    for (LockFile* const held : held_) {
        try {
            held->renew(number);
        } catch (const std::exception&) {
            // The next round tries again; who writes meanwhile is told when it has been too long.
        }
    }
}

}  // namespace drawstore::file
