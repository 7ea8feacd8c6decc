// What rows lie in the segments of a journal's file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "file/file.hpp"
#include "journal/format.hpp"

namespace drawstore::journal {

// Rows in one segment that were found whole.
struct Part {
    // Where the record of a row begins, from the word on.
    struct Mark {
        std::uint64_t row;
        std::size_t at;
    };

    std::uint64_t offset = 0;  // of the segment
    Use use;
    std::uint64_t n_rows = 0;
    std::size_t end = first_record;  // of their records, from the word on
    std::uint32_t last_sum = 0;      // of the last row
    std::vector<Mark> marks = {};    // of the first row, and of some behind it
    std::string damage = {};

    std::uint64_t stop() const noexcept { return use.first_row + n_rows; }

    // The last mark that is not behind a row, and the end of records from which on no row before
    // `stop` lies.
    Mark mark_before(std::uint64_t row) const noexcept;
    std::size_t end_of(std::uint64_t stop) const noexcept;
};

using Parts = std::vector<std::shared_ptr<const Part>>;

// What was found in a journal. As a use of a segment only gets longer, what is known of it stays.
struct Known {
    Id journal{};
    Parts parts;  // in the order of the file
    std::string damage;
};

// Looks through the file of a journal. Rows that are known already are not read again, if they
// still count.
Known find_parts(const file::File& file, const Id& journal, const Known* known);

// Puts the parts of one chain together, as far as they follow one another.
std::vector<Parts> join(Parts parts);

}  // namespace drawstore::journal
