#include "drawstore/chain.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "drawstore/error.hpp"
#include "drawstore/ragged.hpp"

namespace drawstore {
namespace {

std::uint64_t product(const std::vector<std::int64_t>& shape) {
    std::uint64_t count = 1;
    for (const std::int64_t extent : shape) count *= static_cast<std::uint64_t>(extent);
    return count;
}

TypeError wrong_kind(const Variable& variable, const Value& value) {
    return TypeError("expected " + variable.describe() + ", got " +
                     dtype_of(value.kind).descriptor);
}

// The i-th of n draws that a value of a rigid variable holds.
std::span<const std::byte> rigid_draw(const Variable& variable, const Value& value, std::uint64_t i,
                                      std::uint64_t n) {
    if (value.kind != variable.dtype.kind) throw wrong_kind(variable, value);
    const std::size_t bytes = variable.row_bytes();
    const bool same_shape = value.shape.empty() || n != 1 || value.shape == variable.shape;
    if (value.data.size() != bytes * n || !same_shape) {
        throw ValueError(
            "expected " + std::to_string(n) + " draws of " + variable.describe() + ", got " +
            std::to_string(value.data.size() / std::max<std::size_t>(1, variable.dtype.itemsize)) +
            " elements");
    }
    return value.data.subspan(i * bytes, bytes);
}

// The same for a ragged one. Draws of one extend() have one shape, for a Value has one.
RaggedValue ragged_draw(const Variable& variable, const Value& value, std::uint64_t i,
                        std::uint64_t n) {
    if (value.kind != variable.dtype.kind) throw wrong_kind(variable, value);
    RaggedValue draw;
    const bool is_text = variable.dtype.kind == Kind::String;
    const std::uint64_t given =
        is_text ? value.texts.size()
                : value.data.size() / std::max<std::size_t>(1, variable.dtype.itemsize);
    if (given % n != 0) {
        throw ValueError("expected " + std::to_string(n) + " draws of " + variable.describe() +
                         ", got " + std::to_string(given) + " elements");
    }
    const std::uint64_t count = given / n;
    draw.shape = value.shape;
    if (draw.shape.empty() && variable.undefined_ndim) {
        draw.shape = {static_cast<std::int64_t>(count)};
    } else if (draw.shape.empty()) {
        draw.shape = variable.shape;
        const auto open = std::find(draw.shape.begin(), draw.shape.end(), -1);
        if (open != draw.shape.end()) {
            *open = 1;
            const std::uint64_t others = product(draw.shape);
            *open = others == 0 ? 0 : static_cast<std::int64_t>(count / others);
        }
    }
    if (is_text) {
        const auto first = value.texts.begin() + static_cast<std::ptrdiff_t>(i * count);
        draw.texts.assign(first, first + static_cast<std::ptrdiff_t>(count));
    } else {
        const std::uint64_t bytes = count * variable.dtype.itemsize;
        draw.data = value.data.subspan(i * bytes, bytes);
    }
    return draw;
}

// The values in the order of the fields; null for stats that were left out.
std::vector<const Value*> in_order(const Layout& layout, const NamedValues& draw,
                                   const NamedValues& stats) {
    std::vector<const Value*> ordered(layout.fields().size(), nullptr);
    for (const auto& [name, value] : draw) ordered[layout.find_variable(name)] = &value;
    for (const auto& [name, value] : stats) ordered[layout.find_stat(name)] = &value;
    for (std::size_t f = 0; f < layout.n_variables(); ++f) {
        if (!ordered[f]) throw ValueError("no value for " + layout.fields()[f].describe());
    }
    return ordered;
}

}  // namespace

void fill_missing(const Variable& variable, std::byte* target) {
    const std::size_t bytes = variable.row_bytes();
    std::memset(target, 0, bytes);
    const auto fill = [&](const auto nan) {
        for (std::size_t i = 0; i + sizeof nan <= bytes; i += sizeof nan) {
            std::memcpy(target + i, &nan, sizeof nan);
        }
    };
    switch (variable.dtype.kind) {
        case Kind::Float16:
            return fill(std::uint16_t{0x7E00});
        case Kind::Float32:
        case Kind::Complex64:
            return fill(std::numeric_limits<float>::quiet_NaN());
        case Kind::Float64:
        case Kind::Complex128:
            return fill(std::numeric_limits<double>::quiet_NaN());
        default:
            return;
    }
}

Chain::Chain(std::shared_ptr<const RunMeta> meta, std::uint32_t chain_number,
             std::unique_ptr<Rows> rows)
    : meta_(std::move(meta)),
      chain_number_(chain_number),
      layout_(*meta_),
      rows_(std::move(rows)) {}

std::uint64_t Chain::size() const {
    rows_->refresh();
    return rows_->size();
}

void Chain::append(const NamedValues& draw, const NamedValues& stats) { extend(1, draw, stats); }

void Chain::extend(std::uint64_t n_draws, const NamedValues& draws, const NamedValues& stats) {
    const std::vector<const Value*> values = in_order(layout_, draws, stats);
    if (n_draws == 0) return;
    const auto& fields = layout_.fields();
    std::vector<std::byte> missing(layout_.missing_bytes());
    for (std::size_t f = layout_.n_variables(); f < fields.size(); ++f) {
        const std::size_t s = f - layout_.n_variables();
        if (!values[f]) missing[s / 8] |= std::byte{1} << (s % 8);
    }
    std::vector<std::size_t> sizes(layout_.any_ragged() ? layout_.columns().size() : 0);
    std::vector<RaggedValue> ragged(sizes.size());

    Rows::Transaction transaction(*rows_);
    for (std::uint64_t done = 0; done < n_draws;) {
        for (std::size_t f = 0; f < fields.size() && !sizes.empty(); ++f) {
            if (!fields[f].is_ragged() || !values[f]) continue;
            ragged[f] = ragged_draw(fields[f], *values[f], done, n_draws);
            sizes[f] = encoded_bytes(fields[f], ragged[f]);
        }
        const Rows::Slots slots = rows_->room(n_draws - done, sizes);
        for (std::size_t f = 0; f < fields.size(); ++f) {
            for (std::uint64_t i = 0; i < slots.n_rows; ++i) {
                std::byte* target = slots.at(f, i);
                if (fields[f].is_ragged()) {
                    if (values[f]) encode(fields[f], ragged[f], target);
                } else if (values[f]) {
                    const auto bytes = rigid_draw(fields[f], *values[f], done + i, n_draws);
                    if (!bytes.empty()) std::memcpy(target, bytes.data(), bytes.size());
                } else {
                    fill_missing(fields[f], target);
                }
            }
        }
        for (std::uint64_t i = 0; i < slots.n_rows && !missing.empty(); ++i) {
            std::memcpy(slots.at(layout_.missing_column(), i), missing.data(), missing.size());
        }
        done += slots.n_rows;
    }
    transaction.commit();
}

std::optional<std::vector<bool>> Chain::missing_rows(std::size_t field, Slice slice) const {
    if (field < layout_.n_variables()) return std::nullopt;
    const std::size_t stat = field - layout_.n_variables();
    const Rows::Span span =
        rows_->read(layout_.missing_column(), slice.start, slice.stop, slice.step);
    std::vector<bool> missing(span.n_rows);
    bool any = false;
    for (std::uint64_t i = 0; i < span.n_rows; ++i) {
        const std::byte bits = span.data[i * span.stride + stat / 8];
        missing[i] = (bits >> (stat % 8) & std::byte{1}) != std::byte{0};
        any = any || missing[i];
    }
    return any ? std::optional(std::move(missing)) : std::nullopt;
}

Draws Chain::get_field(std::size_t field, Slice slice) const {
    slice.stop = std::min(slice.stop, size());
    slice.start = std::min(slice.start, slice.stop);
    if (slice.step == 0) throw ValueError("the step of a slice is at least 1");
    Rows::Span span;
    Rows::Items items;
    if (layout_.fields()[field].is_ragged()) {
        items = rows_->read_items(field, slice.start, slice.stop, slice.step);
    } else {
        span = rows_->read(field, slice.start, slice.stop, slice.step);
    }
    return Draws(layout_.fields()[field], std::move(span), std::move(items),
                 missing_rows(field, slice).value_or(std::vector<bool>()));
}

Draws Chain::get_draws(std::string_view name, Slice slice) const {
    return get_field(layout_.find_variable(name), slice);
}

Draws Chain::get_stats(std::string_view name, Slice slice) const {
    return get_field(layout_.find_stat(name), slice);
}

Chain::Row Chain::get_row(std::uint64_t i, std::span<const Variable> among,
                          std::vector<std::string_view> names,
                          Draws (Chain::*get)(std::string_view, Slice) const) const {
    if (const std::uint64_t draws = size(); i >= draws) {
        throw ValueError("the chain has " + std::to_string(draws) + " draws; there is no number " +
                         std::to_string(i));
    }
    if (names.empty()) {
        for (const Variable& variable : among) names.push_back(variable.name);
    }
    Row row;
    for (const std::string_view name : names) {
        row.emplace(name, (this->*get)(name, {i, i + 1, 1}));
    }
    return row;
}

Chain::Row Chain::get_draws_at(std::uint64_t i, const std::vector<std::string_view>& names) const {
    return get_row(i, meta_->variables, names, &Chain::get_draws);
}

Chain::Row Chain::get_stats_at(std::uint64_t i, const std::vector<std::string_view>& names) const {
    return get_row(i, meta_->sample_stats, names, &Chain::get_stats);
}

}  // namespace drawstore
