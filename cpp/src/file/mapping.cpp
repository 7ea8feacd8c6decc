#include "file/mapping.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "drawstore/error.hpp"

namespace drawstore::file {

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

}  // namespace drawstore::file

#ifndef _WIN32

#include <sys/mman.h>

#ifdef __linux__
#include <sys/vfs.h>
#endif

namespace drawstore::file {

bool Mapping::is_safe(const File& file) noexcept {
#ifdef __linux__
    // Those that write to a mapped page where it was allocated. Numbers as in statfs(2).
    constexpr std::uint64_t ext4 = 0xEF53, xfs = 0x58465342, tmpfs = 0x01021994;
    struct statfs status{};
    if (fstatfs(file.handle(), &status) != 0) return false;
    const auto type = static_cast<std::uint64_t>(status.f_type) & 0xFFFFFFFF;
    return std::ranges::count(std::initializer_list{ext4, xfs, tmpfs}, type) > 0;
#else
    static_cast<void>(file);  // nobody has tried
    return false;
#endif
}

Mapping Mapping::map(const File& file, std::uint64_t offset, std::size_t bytes) noexcept {
    Mapping mapping;
    void* const address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.handle(),
                               static_cast<off_t>(offset));
    if (address == MAP_FAILED) return mapping;
    mapping.data_ = static_cast<std::byte*>(address);
    mapping.bytes_ = bytes;
    return mapping;
}

void Mapping::prepare(std::byte* begin, std::size_t bytes) noexcept {
#ifdef __linux__
    constexpr int populate_write = 23;  // MADV_POPULATE_WRITE of Linux 5.14
    madvise(begin, bytes, populate_write);
#else
    static_cast<void>(begin);
    static_cast<void>(bytes);
#endif
}

void Mapping::detach() const noexcept {
#ifdef __linux__
    madvise(data_, bytes_, MADV_DONTNEED);  // elsewhere that may lose what was written
#endif
}

Mapping::~Mapping() {
    if (data_) munmap(data_, bytes_);
}

void Mapping::sync(std::size_t bytes) const {
    while (msync(data_, bytes, MS_SYNC) != 0) {
        if (errno == EINTR) continue;
        throw SystemError(errno, "", "cannot make the file durable: " + error_text(errno));
    }
}

}  // namespace drawstore::file

#else

namespace drawstore::file {

bool Mapping::is_safe(const File&) noexcept { return false; }
Mapping Mapping::map(const File&, std::uint64_t, std::size_t) noexcept { return {}; }
void Mapping::prepare(std::byte*, std::size_t) noexcept {}
void Mapping::detach() const noexcept {}
Mapping::~Mapping() = default;
void Mapping::sync(std::size_t) const {}

}  // namespace drawstore::file

#endif
