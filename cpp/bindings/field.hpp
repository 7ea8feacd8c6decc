// One variable or stat of a chain as Python sees it.
#pragma once

#include <optional>
#include <vector>

#include "column.hpp"
#include "drawstore/rows.hpp"
#include "ragged_column.hpp"

namespace drawstore::bindings {

struct Field {
    explicit Field(const Variable& variable);

    std::optional<Column> rigid;  // one of these two
    std::optional<RaggedColumn> ragged;

    const Variable& variable() const { return rigid ? rigid->variable() : ragged->variable(); }

    // What get_draws and get_stats give of some rows: read-only; masked where `missing`, which may
    // be empty, says so. GIL held.
    py::object give(Rows::Span span, const Rows::Items& items,
                    const std::vector<bool>& missing) const;
};

}  // namespace drawstore::bindings
