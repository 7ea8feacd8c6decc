#include "journal/scan.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "drawstore/journal.hpp"
#include "file/copy.hpp"
#include "file/record.hpp"
#include "file/tail.hpp"
#include "stores/memory_rows.hpp"

namespace drawstore {
namespace journal {
namespace {

using file::File;
using file::RecordLayout;
using file::TailCount;

constexpr int max_tries = 1000;  // of a reader that finds a writer at work

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

// Looks at the segments of a file one by one.
class Scanner {
  public:
    Scanner(const File& file, const Id& id) : file_(file), id_(id), id_sum_(crc32c(id)) {}

    // Parts with rows, in the order of the file.
    std::vector<Part> parts() {
        std::vector<Part> found;
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
                found.push_back(std::move(*part));
            }
            is_expected = true;
            at += std::min(*bytes, size - at);
        }
        return found;
    }

    const std::string& damage() const noexcept { return damage_; }

  private:
    void tell(const std::string& what, std::uint64_t at) {
        if (!damage_.empty()) damage_ += "; ";
        damage_ += what + " at byte " + std::to_string(at) + " is damaged";
    }

    // The rows of a segment, if it has any.
    std::optional<Part> look_at(std::uint64_t offset, std::uint64_t bytes) {
        if (bytes < head_bytes + first_record) return std::nullopt;
        for (int tries = 0;; ++tries) {
            const std::uint64_t word = read_word(file_, offset);
            if (word == 0) return std::nullopt;
            Part part;
            const char* wrong = read_part(word, offset, bytes, part);
            // A writer may have used it anew meanwhile; if not, this is what is there.
            if ((wrong || !part.damage.empty()) && tries < max_tries &&
                read_word(file_, offset) != word) {
                continue;
            }
            if (wrong) tell(wrong, offset);
            if (part.n_rows == 0 && part.damage.empty()) return std::nullopt;
            return part;
        }
    }

    const char* read_part(std::uint64_t word, std::uint64_t offset, std::uint64_t bytes,
                          Part& part) {
        const auto count = TailCount::unpack(word, id_sum_);
        if (!count) return "the count of rows in the segment";
        const auto use = decode_use(read_at<use_bytes>(file_, offset + use_at), offset, id_sum_);
        if (!use) return "what the rows are in the segment";
        // A loss of power may have kept one of the two from an earlier use: these rows were not
        // durable.
        if ((use->generation & TailCount::mask) != count->generation) return nullptr;
        part.offset = offset;
        part.use = *use;
        part.end = first_record;
        memory_.resize(bytes - head_bytes);
        memory_.resize(file_.read(offset + head_bytes, memory_));
        std::span<const std::byte> left(memory_);
        left = left.subspan(std::min(left.size(), first_record));
        const std::uint32_t seed = file::record_seed(id_, use->generation);
        for (; part.n_rows < count->rows; ++part.n_rows) {
            const auto stride = RecordLayout::check_sum(left, part.stop(), seed);
            if (!stride) {
                part.damage = "row " + std::to_string(part.stop()) +
                              " does not have the checksum that is written with it: the power "
                              "went before it was durable, or the journal is damaged";
                break;
            }
            if (part.n_rows + 1 == count->rows) part.last_sum = RecordLayout::row_sum(left.data());
            part.end += *stride;
            left = left.subspan(*stride);
        }
        return nullptr;
    }

    const File& file_;
    const Id& id_;
    const std::uint32_t id_sum_;
    std::vector<std::byte> memory_;
    std::string damage_;
};

// Puts the parts of one chain together, as far as they follow one another.
std::vector<std::vector<Part>> join(std::vector<Part> parts) {
    std::ranges::sort(parts, {}, [](const Part& part) { return part.use.first_row; });
    std::vector<std::vector<Part>> pieces;
    for (Part& part : parts) {
        const Part* const before = pieces.empty() ? nullptr : &pieces.back().back();
        const bool follows = before && before->damage.empty() &&
                             before->stop() == part.use.first_row &&
                             before->last_sum == part.use.previous_sum &&
                             before->use.columns_sum == part.use.columns_sum;
        if (!follows) pieces.emplace_back();
        pieces.back().push_back(std::move(part));
    }
    return pieces;
}

}  // namespace

template <typename Check>
std::optional<std::vector<const std::byte*>> Piece::records(
    std::uint64_t start, std::uint64_t stop, std::vector<std::shared_ptr<const std::byte>>& memory,
    Check&& check) const {
    std::vector<const std::byte*> found;
    for (const Part& part : parts) {
        if (part.stop() <= start || part.use.first_row >= stop) continue;
        const std::shared_ptr<std::byte> bytes = file::allocate(1, part.end);
        memory.push_back(bytes);
        std::span<const std::byte> left(
            bytes.get(), file->read(part.offset + head_bytes, {bytes.get(), part.end}));
        left = left.subspan(std::min(left.size(), first_record));
        const std::uint32_t seed = file::record_seed(journal, part.use.generation);
        for (std::uint64_t row = part.use.first_row; row < std::min(stop, part.stop()); ++row) {
            const std::optional<std::size_t> stride = check(left, row, seed);
            if (!stride) return std::nullopt;
            if (row >= start) found.push_back(left.data());
            left = left.subspan(*stride);
        }
    }
    return found;
}

std::optional<std::uint32_t> Piece::sum_before(std::uint64_t row) const {
    if (row == first()) return parts.front().use.previous_sum;
    if (row < first() || row > stop()) return std::nullopt;
    std::vector<std::shared_ptr<const std::byte>> memory;
    const auto found = records(row - 1, row, memory, RecordLayout::check_sum);
    return found ? std::optional(RecordLayout::row_sum(found->front())) : std::nullopt;
}

}  // namespace journal

using file::RecordLayout;
using journal::Part;

const JournalId& JournalScan::Piece::id() const noexcept { return piece_->parts.back().use.chain; }
const std::string& JournalScan::Piece::label() const noexcept {
    return piece_->parts.back().use.label;
}
std::uint64_t JournalScan::Piece::first() const noexcept { return piece_->first(); }
std::uint64_t JournalScan::Piece::stop() const noexcept { return piece_->stop(); }
std::uint32_t JournalScan::Piece::previous_sum() const noexcept {
    return piece_->parts.front().use.previous_sum;
}
std::optional<std::uint32_t> JournalScan::Piece::sum_before(std::uint64_t row) const {
    return piece_->sum_before(row);
}
const std::string& JournalScan::Piece::damage() const noexcept {
    return piece_->parts.back().damage;
}

JournalScan::JournalScan(const std::filesystem::path& path) {
    const auto file = std::make_shared<const file::File>(file::File::open_to_read(path));
    std::array<std::byte, journal::header_end> header{};
    try {
        id_ = journal::decode_header(std::span(header).first(file->read(0, header)));
    } catch (const DataError& error) {
        if (!journal::is_being_made(header, file->size())) damage_ = error.what();
        return;
    }
    journal::Scanner scanner(*file, id_);
    std::map<JournalId, std::vector<Part>> chains;
    for (Part& part : scanner.parts()) chains[part.use.chain].push_back(std::move(part));
    damage_ = scanner.damage();
    for (auto& [chain, found] : chains) {
        for (auto& parts : journal::join(std::move(found))) {
            auto piece = std::make_shared<const journal::Piece>(file, id_, std::move(parts));
            pieces_.push_back(Piece(std::move(piece)));
        }
    }
    std::ranges::stable_sort(pieces_, {}, &Piece::label);
}

std::shared_ptr<Chain> JournalScan::load(const JournalId& id, std::shared_ptr<const RunMeta> meta,
                                         std::uint32_t chain_number, std::uint64_t start,
                                         std::uint64_t stop) const {
    const Layout layout(*meta);
    const std::vector<Rows::Column> columns = layout.columns();
    auto rows = std::make_unique<MemoryRows>(columns);
    if (start >= stop) return std::make_shared<Chain>(meta, chain_number, std::move(rows));
    const std::string what =
        "rows " + std::to_string(start) + " to " + std::to_string(stop - 1) + " of a chain";
    const auto has_them = [&](const Piece& piece) {
        return piece.id() == id && piece.first() <= start && stop <= piece.stop();
    };
    const auto found = std::ranges::find_if(pieces_, has_them);
    if (found == pieces_.end()) throw DataError("the journal does not have " + what);
    const journal::Piece& piece = *found->piece_;
    if (piece.parts.back().use.columns_sum != journal::columns_sum(columns)) {
        throw DataError("the rows of " + found->label() +
                        " in the journal have other columns than the variables of this run need");
    }

    const RecordLayout layout_of_records(columns);
    std::vector<std::shared_ptr<const std::byte>> memory;
    const auto records = piece.records(start, stop, memory, [&](auto record, auto row, auto seed) {
        return layout_of_records.check(record, row, seed);
    });
    if (!records) throw StateError(what + " were recycled while the journal was read");

    Rows::Transaction transaction(*rows);
    std::vector<std::size_t> sizes(layout.any_ragged() ? columns.size() : 0);
    for (std::uint64_t done = 0; done < records->size();) {
        const std::byte* const* const from = records->data() + done;
        for (std::size_t c = 0; c < sizes.size(); ++c) {
            if (columns[c].ragged) sizes[c] = layout_of_records.item(*from, c).size();
        }
        const Rows::Slots slots = rows->room(records->size() - done, sizes);
        for (std::size_t c = 0; c < columns.size(); ++c) {
            for (std::uint64_t i = 0; i < slots.n_rows; ++i) {
                const auto value =
                    columns[c].ragged
                        ? layout_of_records.item(from[i], c)
                        : std::span(from[i] + layout_of_records.offset(c), columns[c].bytes);
                if (!value.empty()) std::memcpy(slots.at(c, i), value.data(), value.size());
            }
        }
        done += slots.n_rows;
    }
    transaction.commit();
    return std::make_shared<Chain>(meta, chain_number, std::move(rows));
}

}  // namespace drawstore
