// Part of a file as memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "file/file.hpp"

namespace drawstore::file {

// What is written to the memory is in the file, also where the process is killed right after. It is
// for files whose space is allocated, and which nobody makes shorter: else the process is ended by
// SIGBUS.
class Mapping {
  public:
    Mapping() = default;
    ~Mapping();
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    // Whether the system of files that holds the file keeps that promise (btrfs breaks it, as do
    // some that other machines share).
    static bool is_safe(const File& file) noexcept;

    // Bytes [offset, offset + bytes); what lies behind the end of the file must not be touched.
    // Empty where the system refuses.
    static Mapping map(const File& file, std::uint64_t offset, std::size_t bytes) noexcept;

    // Makes pages of a mapping ready to be written to, all at once: one by one, when they are,
    // costs more than writing them, for the first time and after each sync. Only a hint.
    static void prepare(std::byte* begin, std::size_t bytes) noexcept;

    // Takes the pages out of the memory of the process, all at once; what was written to them stays
    // with the file, and they come back when they are used. Before a sync of the file, which would
    // else take them one by one, and stop every other thread for each. Only a hint; any thread may
    // use the pages meanwhile.
    void detach() const noexcept;

    std::byte* data() const noexcept { return data_; }
    explicit operator bool() const noexcept { return data_ != nullptr; }

    // Has the system write what is there to the disk.
    void sync(std::size_t bytes) const;

  private:
    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace drawstore::file
