// The right to write a file, which one process has at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace drawstore {

namespace file {
class LockFile;
}  // namespace file

// An exclusive `flock`; where the system of files has none, a lock file beside the locked one, as
// FORMAT.md describes it. Both end with the process. A forked child does not have it, and cannot
// end it.
//
// Any thread may call check().
class WriteLock {
  public:
    // By an open descriptor of the file at `path`, which is to be closed later than the lock goes.
    // Nothing where another has it, or may have it: see watch_holder().
    static std::optional<WriteLock> try_take(int descriptor, const std::filesystem::path& path);

    ~WriteLock();
    WriteLock(WriteLock&& other) noexcept;
    WriteLock& operator=(WriteLock&& other) noexcept;
    WriteLock(const WriteLock&) = delete;
    WriteLock& operator=(const WriteLock&) = delete;

    // To be called before each change of what is locked: a process that was stopped for long, or
    // could not reach the disk, may have lost a lock that is a file. Throws StateError then, and
    // SystemError where it cannot be found out. A lock of the system costs nothing.
    void check() const {
        if (beside_) check_beside();
    }
    bool is_lost() const noexcept;  // as far as check() and the heartbeat know

    void release() noexcept;

  private:
    WriteLock(int descriptor, std::unique_ptr<file::LockFile> beside);
    void check_beside() const;

    int descriptor_ = -1;
    unsigned fork_generation_ = 0;
    std::unique_ptr<file::LockFile> beside_;
};

// Whether somebody has the lock of a file that is open, or may have it.
bool is_locked(int descriptor, const std::filesystem::path& path);

// "process 12 on host 'x'", where a lock file says so of one that is not known to be dead; else
// empty.
std::string lock_file_holder(const std::filesystem::path& path);

// Returns when it is known whether the holder of a lock file lives: at once where there is none,
// where it is a process of this machine, or one that was seen alive just now. One of another
// machine is watched until it gives a sign of life, some seconds; or gives none for a minute, and
// its lock is free. To be called before try_take(), with no mutex held.
void watch_holder(const std::filesystem::path& path);

// How watch_holder() waits for so many seconds; it may throw. By default it sleeps.
void set_pause(void (*pause)(double seconds));

// Seconds between two signs of life of those who take locks from now on, for tests; 5 if not told.
// Twelve times as long without one, and a process of another machine is taken for dead.
void set_heartbeat(double seconds);

}  // namespace drawstore
