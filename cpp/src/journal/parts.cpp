#include "journal/parts.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "drawstore/checksum.hpp"
#include "file/record.hpp"
#include "file/tail.hpp"

namespace drawstore::journal {
namespace {

using file::File;
using file::RecordLayout;
using file::TailCount;

constexpr int max_tries = 1000;  // of a reader that finds a writer at work
constexpr std::size_t mark_distance = std::size_t{64} << 10;
constexpr std::size_t window_bytes = std::size_t{64} << 10;

template <std::size_t n>
std::array<std::byte, n> read_at(const File& file, std::uint64_t offset) {
    std::array<std::byte, n> bytes{};
    file.read(offset, bytes);
    return bytes;
}

bool is_blank(std::span<const std::byte> bytes) {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

std::uint64_t read_word(const File& file, std::uint64_t segment) {
    return file::load<std::uint64_t>(read_at<8>(file, segment + head_bytes).data());
}

// The records of a segment, of which a window is in memory.
class Records {
  public:
    // So many bytes from the word on, which is at that offset of the file.
    Records(const File& file, std::uint64_t offset, std::size_t bytes,
            std::vector<std::byte>& memory)
        : file_(file), offset_(offset), bytes_(bytes), memory_(memory) {}

    // What lies from there on: the whole record that begins there, if the segment has it.
    std::span<const std::byte> from(std::size_t at) {
        if (!has(at, RecordLayout::head_bytes)) fill(at, window_bytes);
        if (has(at, RecordLayout::head_bytes)) {
            const std::size_t stride = RecordLayout::stride_of(memory_.data() + (at - begin_));
            if (!has(at, stride)) fill(at, std::max(stride, window_bytes));
        }
        return {memory_.data() + (at - begin_), end_ - at};
    }

  private:
    bool has(std::size_t at, std::size_t n) const noexcept {
        return begin_ <= at && at <= end_ && n <= end_ - at;
    }

    void fill(std::size_t at, std::size_t n) {
        n = std::min(n, bytes_ - std::min(at, bytes_));
        memory_.resize(std::max(memory_.size(), n));
        begin_ = at;
        end_ = at + file_.read(offset_ + at, std::span(memory_).first(n));
    }

    const File& file_;
    const std::uint64_t offset_;
    const std::size_t bytes_;
    std::vector<std::byte>& memory_;
    std::size_t begin_ = 0;  // of what is in memory
    std::size_t end_ = 0;
};

// Looks at the segments of a file one by one.
class Scanner {
  public:
    Scanner(const File& file, const Id& id, const Known* known)
        : file_(file), id_sum_(crc32c(id)), known_(known), found_{id, {}, {}} {}

    Known scan() && {
        const std::uint64_t size = file_.size();
        if (size < header_bytes || size % file::page != 0) tell("the end of the file", size);
        bool is_expected = true;  // that a segment begins here
        for (std::uint64_t at = header_bytes; at < size;) {
            const auto head = read_at<head_end>(file_, at);
            const auto bytes = decode_head(head, at, id_sum_);
            if (!bytes) {
                // Zeros: a segment that was being made. What follows is looked for in any case.
                if (is_expected && !is_blank(head)) tell("the head of a segment", at);
                is_expected = false;
                at += file::page;
                continue;
            }
            if (*bytes > size - at) tell("the end of the file, which is within a segment", at);
            if (auto part = look_at(at, std::min(*bytes, size - at))) {
                found_.parts.push_back(std::move(part));
            }
            is_expected = true;
            at += std::min(*bytes, size - at);
        }
        return std::move(found_);
    }

  private:
    using Found = std::shared_ptr<const Part>;

    void tell(const std::string& what, std::uint64_t at) {
        std::string& damage = found_.damage;
        if (!damage.empty()) damage += "; ";
        damage += what + " at byte " + std::to_string(at) + " is damaged";
    }

    // The rows of a segment, if it has any.
    Found look_at(std::uint64_t offset, std::uint64_t bytes) {
        if (bytes < head_bytes + first_record) return nullptr;
        for (int tries = 0;; ++tries) {
            const std::uint64_t word = read_word(file_, offset);
            if (word == 0) return nullptr;
            Found part;
            const char* wrong = read_part(word, offset, bytes, part);
            // A writer may have used it anew meanwhile; if not, this is what is there.
            if ((wrong || (part && !part->damage.empty())) && tries < max_tries &&
                read_word(file_, offset) != word) {
                continue;
            }
            if (wrong) tell(wrong, offset);
            if (part && part->n_rows == 0 && part->damage.empty()) return nullptr;
            return part;
        }
    }

    const char* read_part(std::uint64_t word, std::uint64_t offset, std::uint64_t bytes,
                          Found& found) {
        const auto count = TailCount::unpack(word, id_sum_);
        if (!count) return "the count of rows in the segment";
        auto use = decode_use(read_at<use_bytes>(file_, offset + use_at), offset, id_sum_);
        if (!use) return "what the rows are in the segment";
        // A loss of power may have kept one of the two from an earlier use: these rows were not
        // durable.
        if ((use->generation & TailCount::mask) != count->generation) return nullptr;
        const Found known = known_part(offset, use->generation, count->rows);
        if (known && known->n_rows == count->rows) {
            found = known;
            return nullptr;
        }
        auto part = known ? std::make_shared<Part>(*known)
                          : std::make_shared<Part>(Part{offset, *std::move(use)});
        go_on(*part, count->rows, bytes);
        found = std::move(part);
        return nullptr;
    }

    // Adds the rows from those that the part has to those that count.
    void go_on(Part& part, std::uint32_t n_rows, std::uint64_t bytes) {
        Records records(file_, part.offset + head_bytes, bytes - head_bytes, memory_);
        const std::uint32_t seed = file::record_seed(found_.journal, part.use.generation);
        for (; part.n_rows < n_rows; ++part.n_rows) {
            const auto record = records.from(part.end);
            const auto stride = RecordLayout::check_sum(record, part.stop(), seed);
            if (!stride) {
                part.damage = "row " + std::to_string(part.stop()) +
                              " does not have the checksum that is written with it: the power "
                              "went before it was durable, or the journal is damaged";
                return;
            }
            if (part.marks.empty() || part.end - part.marks.back().at >= mark_distance) {
                part.marks.push_back({part.stop(), part.end});
            }
            part.last_sum = RecordLayout::row_sum(record.data());
            part.end += *stride;
        }
    }

    // What is known of this use of a segment, where all of it counts.
    Found known_part(std::uint64_t offset, std::uint32_t generation, std::uint32_t n_rows) const {
        if (!known_ || known_->journal != found_.journal) return nullptr;
        const auto at = std::ranges::lower_bound(known_->parts, offset, {},
                                                 [](const Found& part) { return part->offset; });
        if (at == known_->parts.end() || (*at)->offset != offset) return nullptr;
        const Part& part = **at;
        const bool stays =
            part.use.generation == generation && part.n_rows <= n_rows && part.damage.empty();
        return stays ? *at : nullptr;
    }

    const File& file_;
    const std::uint32_t id_sum_;
    const Known* const known_;
    std::vector<std::byte> memory_;
    Known found_;
};

}  // namespace

Part::Mark Part::mark_before(std::uint64_t row) const noexcept {
    return *(std::ranges::upper_bound(marks, row, {}, &Mark::row) - 1);
}

std::size_t Part::end_of(std::uint64_t stop) const noexcept {
    const auto behind = std::ranges::lower_bound(marks, stop, {}, &Mark::row);
    return behind == marks.end() ? end : behind->at;
}

Known find_parts(const File& file, const Id& journal, const Known* known) {
    return Scanner(file, journal, known).scan();
}

std::vector<Parts> join(Parts parts) {
    std::ranges::sort(parts, {}, [](const auto& part) { return part->use.first_row; });
    std::vector<Parts> pieces;
    for (auto& part : parts) {
        const Part* const before = pieces.empty() ? nullptr : pieces.back().back().get();
        const bool follows = before && before->damage.empty() &&
                             before->stop() == part->use.first_row &&
                             before->last_sum == part->use.previous_sum &&
                             before->use.columns_sum == part->use.columns_sum;
        if (!follows) pieces.emplace_back();
        pieces.back().push_back(std::move(part));
    }
    return pieces;
}

}  // namespace drawstore::journal
