// What a lock file says of its holder. FORMAT.md says how.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "file/file.hpp"

namespace drawstore::file {

inline constexpr std::size_t mark_bytes = 512;

struct Mark {
    std::uint64_t token = 0;    // of this mark, random
    std::uint64_t program = 0;  // of what runs in the process, random
    std::uint64_t process_id = 0;
    std::uint64_t started = 0;   // when the process began, as start_time() tells
    std::uint64_t beat = 0;      // larger each time that the holder renews it
    std::uint32_t interval = 0;  // milliseconds after which the holder does so; 0: nobody knows
    std::string host = {};       // empty where nobody knows
    std::string place = {};      // as process_place() tells

    // "process 12 on host 'x'"
    std::string holder() const;
};

// A mark of this process. `program` differs between a process, its forked children, and what it
// becomes by exec.
Mark make_mark(std::uint64_t program, std::uint32_t interval);

std::uint64_t random_number();

std::array<std::byte, mark_bytes> encode(const Mark& mark);

// What a file says now. Bytes that are no mark, or one of another version, are a mark of nobody
// known: its token and program are functions of path and bytes.
Mark read_mark(const File& file);

// The same by the file's name; nothing where there is none.
std::optional<Mark> read_mark(const std::filesystem::path& path);

// What can be said without waiting: false, the holder is alive; true, it is dead. Nothing where it
// is, or may be, on another machine.
std::optional<bool> is_dead(const Mark& mark, std::uint64_t own_program);

}  // namespace drawstore::file
