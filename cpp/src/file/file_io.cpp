#include "drawstore/file_io.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "drawstore/error.hpp"
#include "file/file.hpp"

#ifndef _WIN32
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#include <io.h>
#endif

namespace drawstore {
namespace {

[[noreturn]] void fail() {
    const int code = errno;
    throw SystemError(code, "", file::error_text(code));
}

#ifndef _WIN32

std::ptrdiff_t read_some(int descriptor, std::uint64_t offset, std::span<std::byte> into) {
    return ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset));
}

std::ptrdiff_t write_some(int descriptor, PlacedBytes piece) {
    return ::pwrite(descriptor, piece.bytes.data(), piece.bytes.size(),
                    static_cast<off_t>(piece.offset));
}

#ifndef __linux__
std::uint64_t size_of(int descriptor) {
    struct stat status{};
    if (::fstat(descriptor, &status) != 0) fail();
    return static_cast<std::uint64_t>(status.st_size);
}
#endif

#else

std::uint64_t size_of(int descriptor) {
    const auto size = ::_filelengthi64(descriptor);
    if (size < 0) fail();
    return static_cast<std::uint64_t>(size);
}

std::ptrdiff_t read_some(int descriptor, std::uint64_t offset, std::span<std::byte> into) {
    if (::_lseeki64(descriptor, static_cast<__int64>(offset), SEEK_SET) < 0) return -1;
    return ::_read(descriptor, into.data(), static_cast<unsigned>(into.size()));
}

std::ptrdiff_t write_some(int descriptor, PlacedBytes piece) {
    if (::_lseeki64(descriptor, static_cast<__int64>(piece.offset), SEEK_SET) < 0) return -1;
    return ::_write(descriptor, piece.bytes.data(), static_cast<unsigned>(piece.bytes.size()));
}

#endif

bool try_to_sync(int descriptor) {
#if defined(_WIN32)
    return ::_commit(descriptor) == 0;
#elif defined(__APPLE__)
    return ::fcntl(descriptor, F_FULLFSYNC) == 0 || ::fsync(descriptor) == 0;
#else
    return ::fdatasync(descriptor) == 0;
#endif
}

}  // namespace

std::size_t read_at(int descriptor, std::uint64_t offset, std::span<std::byte> into) {
    constexpr std::size_t most = std::size_t{1} << 30;  // of a call, on any system
    std::size_t done = 0;
    while (done < into.size()) {
        const auto n = read_some(descriptor, offset + done,
                                 into.subspan(done, std::min(into.size() - done, most)));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail();
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

void write_at(int descriptor, PlacedBytes piece) {
    while (!piece.bytes.empty()) {
        const std::size_t most = written_at_once - piece.offset % written_at_once;
        const auto n = write_some(
            descriptor, {piece.offset, piece.bytes.first(std::min(piece.bytes.size(), most))});
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail();
        piece.offset += static_cast<std::uint64_t>(n);
        piece.bytes = piece.bytes.subspan(static_cast<std::size_t>(n));
    }
}

void allocate_at(int descriptor, std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
#ifdef __linux__
    // The library's own fallback, which reads and writes a byte a page, is as good as any.
    int code;
    do {
        code = ::posix_fallocate(descriptor, static_cast<off_t>(begin),
                                 static_cast<off_t>(end - begin));
    } while (code == EINTR);
    if (code != 0) {
        errno = code;
        fail();
    }
#else
    const std::vector<std::byte> zeros(written_at_once);
    for (std::uint64_t at = std::max(begin, size_of(descriptor)); at < end;) {
        const std::uint64_t n = std::min<std::uint64_t>(zeros.size(), end - at);
        write_at(descriptor, {at, std::span(zeros).first(static_cast<std::size_t>(n))});
        at += n;
    }
#endif
}

void sync_contents(int descriptor) {
    while (!try_to_sync(descriptor)) {
        if (errno != EINTR) fail();
    }
}

}  // namespace drawstore
