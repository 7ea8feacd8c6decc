// Journals whose rows say themselves what they must be.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "drawstore/journal.hpp"
#include "file_stores.hpp"

namespace journals {

using namespace file_stores;

inline std::shared_ptr<const drawstore::RunMeta> meta_of(bool ragged) {
    drawstore::RunMeta meta{"run"};
    const auto add = [&](std::size_t bytes, std::vector<std::int64_t> shape) {
        const std::string name = "v" + std::to_string(meta.variables.size());
        const drawstore::DType dtype{drawstore::Kind::Opaque, bytes, "bytes"};
        meta.variables.push_back({name, dtype, std::move(shape)});
    };
    for (const std::size_t bytes : {8, 1, 12, 0, 24, 3}) add(bytes, {});
    if (ragged) {
        add(1, {-1});
        add(5, {2});
        add(1, {-1});
    } else {
        add(61, {});
    }
    return std::make_shared<const drawstore::RunMeta>(std::move(meta));
}

inline drawstore::JournalId id_of(int number) {
    drawstore::JournalId id{};
    id.fill(static_cast<std::byte>(number));
    return id;
}

inline std::shared_ptr<drawstore::JournalChain> begin(drawstore::Journal& journal, bool ragged,
                                                      int number = 0, std::uint64_t first_row = 0,
                                                      std::uint32_t previous_sum = 0) {
    return journal.begin_chain(id_of(number), "chain " + std::to_string(number), meta_of(ragged),
                               static_cast<std::uint32_t>(number), first_row, previous_sum);
}

// Appends n rows as one append, which is given up where it fails.
inline void append_to(drawstore::JournalChain& chain, std::uint64_t n) {
    try {
        append(chain.rows(), n);
    } catch (...) {
        chain.rows().abandon();
        throw;
    }
}

// Whether rows that were loaded are those from `first` on.
inline bool are_those_from(std::uint64_t first, const drawstore::Chain& loaded) {
    const drawstore::Rows& rows = loaded.rows();
    for (std::size_t c = 0; c < rows.columns().size(); ++c) {
        const bool ragged = rows.columns()[c].ragged;
        const auto span = ragged ? drawstore::Rows::Span() : rows.read(c, 0, rows.size(), 1);
        const auto items =
            ragged ? rows.read_items(c, 0, rows.size(), 1) : drawstore::Rows::Items();
        for (std::uint64_t i = 0; i < rows.size(); ++i) {
            const auto value =
                ragged ? items.items[i]
                       : std::span(span.data + i * span.stride, rows.columns()[c].bytes);
            if (ragged && value.size() != item_bytes(first + i, c, 40)) return false;
            for (std::size_t k = 0; k < value.size(); ++k) {
                if (value[k] != expected(first + i, c, k)) return false;
            }
        }
    }
    return true;
}

// The rows of a chain that a store with so many rows, the last of which has that sum, has to get:
// until where they go. All rows that are in the journal are checked to be right.
struct Tail {
    bool right = true;
    std::uint64_t stop = 0;
};
inline Tail tail_behind(const drawstore::JournalScan& scan, bool ragged, int number,
                        std::uint64_t stored, std::uint32_t sum) {
    Tail tail{true, stored};
    for (const auto& piece : scan.pieces()) {
        if (piece.id() != id_of(number)) continue;
        const auto rows = scan.load(piece.id(), meta_of(ragged), 0, piece.first(), piece.stop());
        tail.right = tail.right && are_those_from(piece.first(), *rows);
        if (piece.first() > stored || piece.stop() < stored) continue;
        const bool fits = stored == 0 || piece.sum_before(stored) == sum;
        tail.right = tail.right && fits;
        tail.stop = std::max(tail.stop, piece.stop());
    }
    return tail;
}

}  // namespace journals
