// The part of a data file that the newest rows are appended to, used again and again.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>

#include "drawstore/file_backend.hpp"
#include "file/file.hpp"
#include "file/mapping.hpp"

namespace drawstore::file {

// How many rows of the tail count, and for which use of it: one word of the file, which changes in
// an instant. Bits 0 to 21 are the rows, 22 to 43 the generation, and the others those of the
// CRC-32C of the file's id and the word without them.
struct TailCount {
    static constexpr std::uint32_t mask = (1u << 22) - 1;

    std::uint32_t generation = 0;  // modulo 2^22
    std::uint32_t rows = 0;

    std::uint64_t pack(std::uint32_t id_sum) const noexcept;

    // Nothing where the word is not one that was packed.
    static std::optional<TailCount> unpack(std::uint64_t word, std::uint32_t id_sum) noexcept;
};

// What a use of a tail is, behind the count: so that the rows that follow a row are found without
// the header.
struct TailUse {
    static constexpr std::size_t at = 8;
    static constexpr std::size_t bytes = 16;

    std::uint64_t first_row = 0;
    std::uint32_t generation = 0;

    std::array<std::byte, bytes> encode(std::uint32_t id_sum) const noexcept;
};

// The writer's side. The records lie behind a head of 64 bytes, which begins with the count.
class Tail {
  public:
    static constexpr std::size_t head_bytes = 64;

    // The tail of an open file: `capacity` bytes of it are allocated, and it may grow to
    // `max_bytes`. What is there stays.
    Tail(File& file, std::uint64_t offset, std::size_t capacity, std::size_t max_bytes,
         std::uint32_t id_sum, TailStore where);

    std::byte* data() const noexcept { return memory_; }
    std::size_t capacity() const noexcept { return capacity_; }
    bool is_mapped() const noexcept { return static_cast<bool>(mapping_); }

    // Makes it larger where it may be, up to its limit. Throws SystemError where the disk is full.
    void grow_to(std::size_t bytes);

    // To be followed by publish().
    void begin_use(const TailUse& use);

    // Makes rows count that were written to data() + [from, until). From then on they survive the
    // death of the process.
    void publish(TailCount count, std::size_t from, std::size_t until) {
        about_to_change();
        if (!mapping_) {
            write(count, from, until);
        } else {
            word_->store(count.pack(id_sum_), std::memory_order_release);
        }
    }

    // Overwrites what is behind the last row with zeros; false where there was nothing else.
    bool clear_behind(std::size_t from);

  private:
    void write(TailCount count, std::size_t from, std::size_t until);

    File& file_;
    const std::uint64_t offset_;
    std::size_t capacity_;
    const std::size_t max_bytes_;
    const std::uint32_t id_sum_;
    struct Free {
        void operator()(std::byte* memory) const noexcept { std::free(memory); }
    };
    Mapping mapping_;                           // one of these two
    std::unique_ptr<std::byte[], Free> plain_;  // holds the bytes
    std::byte* memory_ = nullptr;
    std::atomic<std::uint64_t>* word_ = nullptr;
};

// The count as readers in other processes see it; nothing where the word makes no sense, which may
// be so for a moment while it changes. `unused` says whether no tail was ever there.
std::optional<TailCount> read_tail_count(const File& file, std::uint64_t tail_offset,
                                         std::uint32_t id_sum, bool& unused);

// A tail that says itself what it is, with how many rows; nothing where it does not.
struct FoundTail {
    TailUse use;
    std::uint32_t rows = 0;
};
std::optional<FoundTail> find_tail(const File& file, std::uint64_t tail_offset,
                                   std::uint32_t id_sum);

}  // namespace drawstore::file
