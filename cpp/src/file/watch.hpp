// Which processes of other machines are alive, as far as this one has seen.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "file/mark.hpp"

namespace drawstore::file {

// A process is dead whose beat has not changed for `beats_until_dead` of its own intervals, by our
// clock: clocks of two machines are never compared. All marks of a process beat together, so what
// one of them shows goes for the others.
//
// Any thread may call any method.
class Watch {
  public:
    enum class Verdict : std::uint8_t { Alive, Unknown, Dead };
    static constexpr int beats_until_dead = 12;

    // What a mark that was read just now adds to what is known of its process.
    Verdict look(const Mark& mark);

  private:
    using Clock = std::chrono::steady_clock;

    struct Seen {
        std::uint64_t beat = 0;
        Clock::time_point last_look;
        Clock::duration unchanged{};
        std::optional<Clock::time_point> changed_at = std::nullopt;
    };

    std::mutex mutex_;
    std::map<std::uint64_t, Seen> seen_;  // by Mark::program
};

}  // namespace drawstore::file
