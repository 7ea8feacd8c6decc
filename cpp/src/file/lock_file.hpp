// Locks where the system of files has none: a file beside the locked one says who holds it.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "file/heartbeat.hpp"
#include "file/mark.hpp"

namespace drawstore::file {

// A lock that this process holds, until the object goes. Any thread may call any method.
class LockFile {
  public:
    // "chain.h5-lock" for "chain.h5"
    static std::filesystem::path path_for(const std::filesystem::path& locked);

    // Null where another has the lock, or may have it; see watch_holder(). What a dead one has left
    // is removed.
    static std::unique_ptr<LockFile> try_take(const std::filesystem::path& locked);

    // Who has the lock of a file by a lock file: nothing where nobody, or a dead one.
    static std::optional<Mark> find_holder(const std::filesystem::path& locked);

    // In a forked child nothing is removed.
    ~LockFile();
    LockFile(const LockFile&) = delete;
    LockFile& operator=(const LockFile&) = delete;

    // To be called before each change of what is locked. Throws StateError where another process
    // has taken the lock over, because this one was stopped, or cut off from the disk, for so long
    // that it seemed dead; SystemError where that can be, and cannot be found out now.
    void check();
    bool is_lost() const noexcept { return lost_.load(std::memory_order_acquire); }

  private:
    friend class Heartbeat;
    LockFile(std::filesystem::path path, Mark mark, std::int64_t made_at, Heartbeat& heartbeat);
    bool is_late() const noexcept;
    void renew(std::uint64_t beat);  // called by the heartbeat
    [[noreturn]] void fail_lost() const;

    const std::filesystem::path path_;
    Mark mark_;
    Heartbeat& heartbeat_;
    std::atomic<std::int64_t> renewed_at_;
    std::atomic<bool> lost_{false};
    std::string taken_by_;  // written before lost_
};

}  // namespace drawstore::file
