#include "file/file.hpp"

#ifndef _WIN32
#include <fcntl.h>
#endif

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "drawstore/error.hpp"
#include "drawstore/file_io.hpp"
#include "file/fork.hpp"

namespace drawstore::file {

void (*before_change)() = nullptr;
void (*around_sync)(bool is_done) = nullptr;

std::string error_text(int code) { return std::generic_category().message(code); }

File::~File() { close(); }

File::File(File&& other) noexcept
    : handle_(std::exchange(other.handle_, -1)),
      kept_from_children_(std::exchange(other.kept_from_children_, false)),
      fork_generation_(other.fork_generation_),
      path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, std::nullopt)) {}

File& File::operator=(File&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(kept_from_children_, other.kept_from_children_);
    std::swap(fork_generation_, other.fork_generation_);
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
}

void File::fail(const char* what) const {
    const int code = errno;
    throw SystemError(code, path_.string(), std::string(what) + ": " + error_text(code));
}

void File::remove() noexcept {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove(path_, ignored);
}

void File::write(std::uint64_t offset, Piece bytes) { write(offset, std::span(&bytes, 1)); }

namespace {

// False where the system, or its system of files, cannot do it.
bool exchanged_at_once([[maybe_unused]] const std::filesystem::path& one,
                       [[maybe_unused]] const std::filesystem::path& other) {
#if defined(__linux__) && defined(RENAME_EXCHANGE)
    return ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0;
#elif defined(__APPLE__) && defined(RENAME_SWAP)
    return ::renamex_np(one.c_str(), other.c_str(), RENAME_SWAP) == 0;
#else
    return false;
#endif
}

}  // namespace

void exchange_folders(const std::filesystem::path& other, const std::filesystem::path& place) {
    about_to_change();
    if (exchanged_at_once(other, place)) return;
    std::filesystem::path aside = other;
    aside += ".old";
    std::filesystem::rename(place, aside);
    std::error_code error;
    std::filesystem::rename(other, place, error);
    if (error) {
        std::filesystem::rename(aside, place);
        throw std::filesystem::filesystem_error("cannot replace", other, place, error);
    }
    std::filesystem::rename(aside, other);
}

}  // namespace drawstore::file

#ifndef _WIN32

#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace drawstore::file {
namespace {

constexpr mode_t permissions = 0666;  // less the umask

int open_file(const std::filesystem::path& path, int flags) {
    int handle = -1;
    do {
        handle = ::open(path.c_str(), flags | O_CLOEXEC, permissions);
    } while (handle < 0 && errno == EINTR);
    if (handle < 0) {
        const int code = errno;
        throw SystemError(code, path.string(), "cannot open the file: " + error_text(code));
    }
    return handle;
}

}  // namespace

File File::open_to_read(const std::filesystem::path& path) {
    return {open_file(path, O_RDONLY), path};
}
File File::open_to_write(const std::filesystem::path& path) {
    return {open_file(path, O_RDWR), path};
}
File File::create(const std::filesystem::path& path) {
    about_to_change();
    return {open_file(path, O_RDWR | O_CREAT | O_EXCL), path};
}

void File::close() noexcept {
    const int handle = std::exchange(handle_, -1);
    if (handle < 0) return;
    lock_.reset();
    if (std::exchange(kept_from_children_, false)) {
        if (fork_generation_ != fork_generation()) return;  // this child has closed it long ago
        forget_in_children(handle);
    }
    ::close(handle);
}

std::uint64_t File::size() const {
    struct stat status{};
    if (fstat(handle_, &status) != 0) fail("cannot ask for the size of the file");
    return static_cast<std::uint64_t>(status.st_size);
}

std::size_t File::read(std::uint64_t offset, std::span<std::byte> into) const {
    try {
        return read_at(handle_, offset, into);
    } catch (const SystemError& error) {
        errno = error.code();
        fail("cannot read the file");
    }
}

void File::write(std::uint64_t offset, std::span<const Piece> pieces) {
    about_to_change();
    constexpr std::size_t at_once = std::min<std::size_t>(IOV_MAX, 256);
    std::array<iovec, at_once> vectors;
    std::size_t next = 0;  // piece, of which
    std::size_t done = 0;  // bytes are written
    while (next < pieces.size()) {
        std::size_t n = 0;
        std::size_t left = written_at_once - offset % written_at_once;
        for (; n < at_once && next + n < pieces.size() && left > 0; ++n) {
            Piece piece = n == 0 ? pieces[next].subspan(done) : pieces[next + n];
            piece = piece.first(std::min(piece.size(), left));
            vectors[n] = {const_cast<std::byte*>(piece.data()), piece.size()};
            left -= piece.size();
        }
        const ssize_t written =
            pwritev(handle_, vectors.data(), static_cast<int>(n), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail("cannot write to the file");
        offset += static_cast<std::uint64_t>(written);
        done += static_cast<std::size_t>(written);
        while (next < pieces.size() && done >= pieces[next].size()) done -= pieces[next++].size();
    }
}

void File::allocate(std::uint64_t offset, std::uint64_t size) {
    about_to_change();
    try {
        allocate_at(handle_, offset, size);
    } catch (const SystemError& error) {
        errno = error.code();
        fail("cannot get space on the disk");
    }
}

void File::expect_scattered_reads() const noexcept {
#ifdef POSIX_FADV_RANDOM
    posix_fadvise(handle_, 0, 0, POSIX_FADV_RANDOM);
#endif
}

void File::sync() {
    about_to_change();
    if (around_sync) around_sync(false);
    try {
        sync_contents(handle_);
    } catch (const SystemError& error) {
        errno = error.code();
        fail("cannot make the file durable");
    }
    if (around_sync) around_sync(true);
}

bool File::try_lock(const std::filesystem::path& name) {
    if (lock_) return true;
    lock_ = WriteLock::try_take(handle_, name);
    if (!lock_) return false;
    keep_from_children();
    return true;
}

void File::keep_from_children() {
    if (kept_from_children_) return;
    close_in_children(handle_);
    fork_generation_ = fork_generation();
    kept_from_children_ = true;
}

bool File::publish_as(const std::filesystem::path& path) {
    about_to_change();
    if (::link(path_.c_str(), path.c_str()) == 0) {
        about_to_change();
        ::unlink(path_.c_str());
    } else if (errno == EEXIST) {
        return false;
    } else {
        // Some systems of files have no second names.
        if (std::filesystem::exists(path)) return false;
        if (::rename(path_.c_str(), path.c_str()) != 0) fail("cannot name the file");
    }
    path_ = path;
    return true;
}

void File::shorten(std::uint64_t size) noexcept {
    // Space behind the end is a nuisance, not an error.
    [[maybe_unused]] const int failed = ::ftruncate(handle_, static_cast<off_t>(size));
}

void sync_folder(const std::filesystem::path& path) {
    about_to_change();
    const int handle = open_file(path, O_RDONLY | O_DIRECTORY);
    int failed = 0;
    do {
        failed = fsync(handle) == 0 ? 0 : errno;
    } while (failed == EINTR);
    ::close(handle);
    // Not every system of files knows how to sync a folder.
    if (failed != 0 && failed != EINVAL && failed != ENOTSUP) {
        throw SystemError(failed, path.string(),
                          "cannot make the folder durable: " + error_text(failed));
    }
}

}  // namespace drawstore::file

#else  // Windows: stores in files are not there yet

namespace drawstore::file {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path) {
    throw SystemError(ENOSYS, path.string(), "stores in files do not work on Windows yet");
}

}  // namespace

File File::open_to_read(const std::filesystem::path& path) { refuse(path); }
File File::open_to_write(const std::filesystem::path& path) { refuse(path); }
File File::create(const std::filesystem::path& path) { refuse(path); }
void File::close() noexcept {}
std::uint64_t File::size() const { refuse(path_); }
std::size_t File::read(std::uint64_t, std::span<std::byte>) const { refuse(path_); }
void File::write(std::uint64_t, std::span<const Piece>) { refuse(path_); }
void File::allocate(std::uint64_t, std::uint64_t) { refuse(path_); }
void File::shorten(std::uint64_t) noexcept {}
void File::expect_scattered_reads() const noexcept {}
void File::sync() { refuse(path_); }
void File::keep_from_children() { refuse(path_); }
bool File::try_lock(const std::filesystem::path&) { refuse(path_); }
bool File::publish_as(const std::filesystem::path&) { refuse(path_); }
void sync_folder(const std::filesystem::path& path) { refuse(path); }

}  // namespace drawstore::file

#endif
