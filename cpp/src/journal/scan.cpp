#include "journal/scan.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "drawstore/error.hpp"
#include "drawstore/journal.hpp"
#include "file/copy.hpp"
#include "file/record.hpp"
#include "stores/memory_rows.hpp"

namespace drawstore {

using file::RecordLayout;

namespace journal {

template <typename Check>
std::optional<std::vector<const std::byte*>> Piece::records(
    std::uint64_t start, std::uint64_t stop, std::vector<std::shared_ptr<const std::byte>>& memory,
    Check&& check) const {
    std::vector<const std::byte*> found;
    for (const auto& part : parts) {
        if (part->stop() <= start || part->use.first_row >= stop) continue;
        auto [row, begin] = part->mark_before(std::max(start, part->use.first_row));
        const std::size_t n = part->end_of(stop) - begin;
        const std::shared_ptr<std::byte> bytes = file::allocate(1, n);
        memory.push_back(bytes);
        std::span<const std::byte> left(
            bytes.get(), file->read(part->offset + head_bytes + begin, {bytes.get(), n}));
        const std::uint32_t seed = file::record_seed(journal, part->use.generation);
        for (; row < std::min(stop, part->stop()); ++row) {
            const std::optional<std::size_t> stride = check(left, row, seed);
            if (!stride) return std::nullopt;
            if (row >= start) found.push_back(left.data());
            left = left.subspan(*stride);
        }
    }
    return found;
}

std::optional<std::uint32_t> Piece::sum_before(std::uint64_t row) const {
    if (row == first()) return parts.front()->use.previous_sum;
    if (row < first() || row > stop()) return std::nullopt;
    std::vector<std::shared_ptr<const std::byte>> memory;
    const auto found = records(row - 1, row, memory, RecordLayout::check_sum);
    return found ? std::optional(RecordLayout::row_sum(found->front())) : std::nullopt;
}

}  // namespace journal

const JournalId& JournalScan::Piece::id() const noexcept { return piece_->parts.back()->use.chain; }
const std::string& JournalScan::Piece::label() const noexcept {
    return piece_->parts.back()->use.label;
}
std::uint64_t JournalScan::Piece::first() const noexcept { return piece_->first(); }
std::uint64_t JournalScan::Piece::stop() const noexcept { return piece_->stop(); }
std::uint32_t JournalScan::Piece::previous_sum() const noexcept {
    return piece_->parts.front()->use.previous_sum;
}
std::optional<std::uint32_t> JournalScan::Piece::sum_before(std::uint64_t row) const {
    return piece_->sum_before(row);
}
const std::string& JournalScan::Piece::damage() const noexcept {
    return piece_->parts.back()->damage;
}

JournalScan::JournalScan(const std::filesystem::path& path,
                         const std::shared_ptr<const journal::Known>& known) {
    const auto file = std::make_shared<const file::File>(file::File::open_to_read(path));
    std::array<std::byte, journal::header_end> header{};
    try {
        id_ = journal::decode_header(std::span(header).first(file->read(0, header)));
    } catch (const DataError& error) {
        if (!journal::is_being_made(header, file->size())) damage_ = error.what();
        return;
    }
    known_ = std::make_shared<const journal::Known>(journal::find_parts(*file, id_, known.get()));
    damage_ = known_->damage;
    std::map<JournalId, journal::Parts> chains;
    for (const auto& part : known_->parts) chains[part->use.chain].push_back(part);
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
    if (piece.parts.back()->use.columns_sum != journal::columns_sum(columns)) {
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
