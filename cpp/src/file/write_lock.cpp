#include "drawstore/write_lock.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "drawstore/error.hpp"
#include "file/file.hpp"
#include "file/fork.hpp"
#include "file/lock_file.hpp"

#ifndef _WIN32
#include <sys/file.h>
#endif

namespace drawstore {

using file::Heartbeat;
using file::LockFile;
using file::Watch;

namespace {

void sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

std::atomic<void (*)(double)> pause_hook{sleep};

enum class Answer : std::uint8_t { Taken, Held, Unsupported };

#ifndef _WIN32

constexpr int exclusive = LOCK_EX;
constexpr int shared = LOCK_SH;

Answer ask_system(int descriptor, int kind, const std::filesystem::path& path) {
    while (flock(descriptor, kind | LOCK_NB) != 0) {
        const int code = errno;
        if (code == EINTR) continue;
        if (code == EWOULDBLOCK) return Answer::Held;
        // What NFS, Lustre, FUSE and others say that have none.
        if (code == ENOLCK || code == ENOSYS || code == ENOTSUP || code == EOPNOTSUPP ||
            code == EINVAL) {
            return Answer::Unsupported;
        }
        throw SystemError(code, path.string(), "cannot lock the file: " + file::error_text(code));
    }
    return Answer::Taken;
}

void unlock(int descriptor) noexcept { flock(descriptor, LOCK_UN); }

#else  // one process at a time is up to the user there

constexpr int exclusive = 0;
constexpr int shared = 0;
Answer ask_system(int, int, const std::filesystem::path&) { return Answer::Taken; }
void unlock(int) noexcept {}

#endif

}  // namespace

std::optional<WriteLock> WriteLock::try_take(int descriptor, const std::filesystem::path& path) {
    switch (ask_system(descriptor, exclusive, path)) {
        case Answer::Held:
            return std::nullopt;
        case Answer::Taken:
            return WriteLock(descriptor, nullptr);
        case Answer::Unsupported:
            break;
    }
    auto beside = LockFile::try_take(path);
    if (!beside) return std::nullopt;
    return WriteLock(-1, std::move(beside));
}

WriteLock::WriteLock(int descriptor, std::unique_ptr<LockFile> beside)
    : descriptor_(descriptor), beside_(std::move(beside)) {
    file::watch_forks();
    fork_generation_ = file::fork_generation();
}

WriteLock::~WriteLock() { release(); }

WriteLock::WriteLock(WriteLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      fork_generation_(other.fork_generation_),
      beside_(std::move(other.beside_)) {}

WriteLock& WriteLock::operator=(WriteLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(fork_generation_, other.fork_generation_);
    std::swap(beside_, other.beside_);
    return *this;
}

void WriteLock::check_beside() const { beside_->check(); }

bool WriteLock::is_lost() const noexcept { return beside_ && beside_->is_lost(); }

void WriteLock::release() noexcept {
    const int descriptor = std::exchange(descriptor_, -1);
    if (descriptor >= 0 && fork_generation_ == file::fork_generation()) unlock(descriptor);
    beside_.reset();
}

bool is_locked(int descriptor, const std::filesystem::path& path) {
    switch (ask_system(descriptor, shared, path)) {
        case Answer::Held:
            return true;
        case Answer::Taken:
            unlock(descriptor);
            return false;
        case Answer::Unsupported:
            break;
    }
    return LockFile::find_holder(path).has_value();
}

std::string lock_file_holder(const std::filesystem::path& path) {
    const auto found = LockFile::find_holder(path);
    return found ? found->holder() : "";
}

void watch_holder(const std::filesystem::path& path) {
    Heartbeat& heartbeat = Heartbeat::get();
    for (;;) {
        const auto mark = file::read_mark(LockFile::path_for(path));
        if (!mark || heartbeat.judge(*mark) != Watch::Verdict::Unknown) return;
        pause_hook.load()(std::clamp(mark->interval / 10, 1U, 100U) / 1e3);
    }
}

void set_pause(void (*pause)(double seconds)) { pause_hook = pause; }

void set_heartbeat(double seconds) { Heartbeat::set_interval(seconds); }

}  // namespace drawstore
