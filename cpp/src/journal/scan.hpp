// Rows that a scan of a journal has found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "file/copies.hpp"
#include "file/file.hpp"
#include "journal/parts.hpp"

namespace drawstore::journal {

// Rows of one chain, part behind part.
struct Piece {
    std::shared_ptr<const file::File> file;
    Id journal{};
    Parts parts;

    std::uint64_t first() const noexcept { return parts.front()->use.first_row; }
    std::uint64_t stop() const noexcept { return parts.back()->stop(); }
    std::optional<std::uint32_t> sum_before(std::uint64_t row) const;

    // The records of rows [start, stop), which are in the piece; `memory` keeps them. Nothing where
    // they are not there any more. `check` is called for each, and says how long it is.
    template <typename Check>
    std::optional<std::vector<const std::byte*>> records(
        std::uint64_t start, std::uint64_t stop,
        std::vector<std::shared_ptr<const std::byte>>& memory, Check&& check) const;
};

}  // namespace drawstore::journal
