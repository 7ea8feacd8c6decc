// A file of the system. What differs between systems stands behind this class and Mapping.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "drawstore/write_lock.hpp"

namespace drawstore::file {

// Every error is a SystemError that names the file. One object may be read by many threads.
class File {
  public:
    using Piece = std::span<const std::byte>;

    File() = default;
    ~File();
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    static File open_to_read(const std::filesystem::path& path);
    static File open_to_write(const std::filesystem::path& path);
    static File create(const std::filesystem::path& path);  // there must be none

    explicit operator bool() const noexcept { return handle_ >= 0; }
    const std::filesystem::path& path() const noexcept { return path_; }
    int handle() const noexcept { return handle_; }
    std::uint64_t size() const;

    // As many bytes as there are before the end of the file.
    std::size_t read(std::uint64_t offset, std::span<std::byte> into) const;

    void write(std::uint64_t offset, Piece bytes);
    void write(std::uint64_t offset, std::span<const Piece> pieces);  // one behind the other

    // Makes the file at least `size` long, with space on the disk for bytes [offset, size).
    void allocate(std::uint64_t offset, std::uint64_t size);

    // Gives up what lies behind `size`.
    void shorten(std::uint64_t size) noexcept;

    // Says that it is read here and there: the system is not to read ahead.
    void expect_scattered_reads() const noexcept;

    void sync();

    // Has forked children close their copy of the handle.
    void keep_from_children();

    // Takes the right to write the file, if nobody has it. It is held by this object, and not by a
    // forked child. `name` is that by which others know the file, if it is to get one.
    bool try_lock() { return try_lock(path_); }
    bool try_lock(const std::filesystem::path& name);

    // Before each change: throws where another process has taken the lock over.
    void check_lock() const {
        if (lock_) lock_->check();
    }
    bool is_lock_lost() const noexcept { return lock_ && lock_->is_lost(); }

    // Gives the file, which create() made, another name that nobody has: false where somebody has
    // it. Readers of that name see the file as it is now, or later.
    bool publish_as(const std::filesystem::path& path);

    void remove() noexcept;  // its name; the file goes with the last who has it open
    void close() noexcept;

  private:
    File(int handle, std::filesystem::path path) : handle_(handle), path_(std::move(path)) {}
    [[noreturn]] void fail(const char* what) const;

    int handle_ = -1;
    bool kept_from_children_ = false;
    unsigned fork_generation_ = 0;  // of the process that keeps it from its children
    std::filesystem::path path_;
    std::optional<WriteLock> lock_;
};

// Makes the names in a folder durable.
void sync_folder(const std::filesystem::path& path);

// Gives two folders each other's names: at once where the system of files can; elsewhere there is a
// moment in which `place` is the name of none.
void exchange_folders(const std::filesystem::path& other, const std::filesystem::path& place);

// The system's words for an errno.
std::string error_text(int code);

// Called before each change of a file, for tests that stop a writer there.
extern void (*before_change)();
inline void about_to_change() {
    if (before_change) before_change();
}

// Called before and after what is there is made durable, for tests that take the power away.
extern void (*around_sync)(bool is_done);

}  // namespace drawstore::file
