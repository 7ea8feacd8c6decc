#include "file/watch.hpp"

#include <algorithm>

namespace drawstore::file {

Watch::Verdict Watch::look(const Mark& mark) {
    const auto now = Clock::now();
    const Clock::duration interval = std::chrono::milliseconds(std::max(mark.interval, 1U));
    const std::lock_guard lock(mutex_);
    const auto [it, is_new] = seen_.try_emplace(mark.program);
    Seen& seen = it->second;
    if (is_new) {
        seen.beat = mark.beat;
    } else if (mark.beat > seen.beat) {
        seen.beat = mark.beat;
        seen.unchanged = {};
        seen.changed_at = now;
    } else {
        // Where we did not look for long, because we were stopped or the disk did not answer, the
        // holder may have been kept from beating as well.
        seen.unchanged += std::min(now - seen.last_look, interval);
    }
    seen.last_look = now;
    if (seen.unchanged >= beats_until_dead * interval) return Verdict::Dead;
    const bool is_fresh = seen.changed_at && now - *seen.changed_at < interval;
    return is_fresh ? Verdict::Alive : Verdict::Unknown;
}

}  // namespace drawstore::file
