// What a scan of a journal has found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "file/copies.hpp"
#include "file/file.hpp"
#include "journal/format.hpp"

namespace drawstore::journal {

// Rows in one segment that were found whole.
struct Part {
    std::uint64_t offset = 0;  // of the segment
    Use use;
    std::uint64_t n_rows = 0;
    std::size_t end = 0;         // of their records, from the word on
    std::uint32_t last_sum = 0;  // of the last row
    std::string damage = {};

    std::uint64_t stop() const noexcept { return use.first_row + n_rows; }
};

// Rows of one chain, part behind part.
struct Piece {
    std::shared_ptr<const file::File> file;
    Id journal{};
    std::vector<Part> parts;

    std::uint64_t first() const noexcept { return parts.front().use.first_row; }
    std::uint64_t stop() const noexcept { return parts.back().stop(); }
    std::optional<std::uint32_t> sum_before(std::uint64_t row) const;

    // The records of rows [start, stop), which are in the piece; `memory` keeps them. Nothing where
    // they are not there any more. `check` is called for each, and says how long it is.
    template <typename Check>
    std::optional<std::vector<const std::byte*>> records(
        std::uint64_t start, std::uint64_t stop,
        std::vector<std::shared_ptr<const std::byte>>& memory, Check&& check) const;
};

}  // namespace drawstore::journal
