#include "file/heartbeat.hpp"

#include <algorithm>
#include <cmath>
#include <exception>

#include "file/fork.hpp"
#include "file/lock_file.hpp"

namespace drawstore::file {
namespace {

std::atomic<std::uint32_t> interval_of_new{5000};  // milliseconds
std::atomic<Heartbeat*> current{nullptr};

}  // namespace

Heartbeat& Heartbeat::get() {
    watch_forks();
    Heartbeat* found = current.load(std::memory_order_acquire);
    const auto fits = [](const Heartbeat* heartbeat) {
        return heartbeat && heartbeat->is_of_this_process() &&
               heartbeat->interval_ == interval_of_new.load(std::memory_order_relaxed);
    };
    while (!fits(found)) {
        auto* const made = new Heartbeat(interval_of_new.load(std::memory_order_relaxed), found);
        if (current.compare_exchange_strong(found, made)) return *made;
        delete made;
    }
    return *found;  // never destroyed: lock files may outlive static objects
}

void Heartbeat::set_interval(double seconds) {
    interval_of_new = static_cast<std::uint32_t>(std::clamp(std::round(seconds * 1e3), 1.0, 1e6));
}

Heartbeat::Heartbeat(std::uint32_t interval, Heartbeat* before)
    : before_(before),
      fork_generation_(fork_generation()),
      interval_(interval),
      program_(before && before->is_of_this_process() ? before->program_ : random_number()),
      rounds_([this] { beat(); }, interval / 1e3) {}

bool Heartbeat::is_of_this_process() const noexcept {
    return fork_generation_ == fork_generation();
}

Watch::Verdict Heartbeat::judge(Mark mark) {
    if (const auto dead = is_dead(mark, program_)) {
        return *dead ? Watch::Verdict::Dead : Watch::Verdict::Alive;
    }
    if (mark.interval == 0) mark.interval = interval_;
    return watch_.look(mark);
}

Mark Heartbeat::make_mark() const {
    Mark mark = file::make_mark(program_, interval_);
    mark.beat = beat_;
    return mark;
}

void Heartbeat::add(LockFile& lock) {
    {
        const std::lock_guard guard(mutex_);
        held_.push_back(&lock);
    }
    rounds_.mark_dirty();
}

void Heartbeat::remove(LockFile& lock) noexcept {
    const std::lock_guard guard(mutex_);
    std::erase(held_, &lock);
}

void Heartbeat::renew(LockFile& lock) {
    rounds_.mark_dirty();  // after a fork there is no thread until somebody asks for it
    const std::lock_guard guard(mutex_);
    lock.renew(++beat_);
}

void Heartbeat::beat() {
    const std::lock_guard lock(mutex_);
    if (held_.empty()) return;
    rounds_.mark_dirty();
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
