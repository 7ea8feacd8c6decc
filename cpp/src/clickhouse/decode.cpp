#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "clickhouse/half.hpp"
#include "clickhouse/native.hpp"
#include "clickhouse/received.hpp"
#include "drawstore/error.hpp"
#include "drawstore/ragged.hpp"
#include "drawstore/value.hpp"
#include "file/bytes.hpp"
#include "file/copies.hpp"
#include "memory/pages.hpp"

namespace drawstore {
namespace clickhouse {
namespace {

using Pieces = std::vector<Piece>;
using Missing = std::vector<bool>;  // by row; empty where no row lacks the stat

// Memory for rows; where it is much, of huge pages, since new pages cost more than writing to them.
std::shared_ptr<std::byte> memory_for(std::uint64_t n_rows, std::size_t row_bytes) {
    constexpr std::size_t much = std::size_t{4} << 20;
    const std::size_t bytes = static_cast<std::size_t>(n_rows) * row_bytes;
    if (bytes >= much) {
        const auto pages = std::make_shared<Pages>(Pages::reserve(bytes));
        if (*pages) {
            pages->prefer_huge(0, bytes);
            return {pages, pages->data()};
        }
    }
    return file::allocate(n_rows, row_bytes);
}

// Bytes of float16 from those of float32.
void narrow(std::byte* to, std::span<const std::byte> from, std::uint64_t row,
            const Column& column) {
    for (std::size_t i = 0; 4 * i < from.size(); ++i) {
        const auto half = narrowed(file::load<std::uint32_t>(from.data() + 4 * i));
        if (!half) throw DataError(describe(row, column) + ", or one behind it, is no float16");
        file::store(to + 2 * i, *half);
    }
}

Rows::Span rows_of(const Column& column, bool is_widened_half, std::size_t row_bytes,
                   const Pieces& pieces, std::uint64_t n_rows) {
    const std::shared_ptr<std::byte> memory = memory_for(n_rows, row_bytes);
    std::byte* to = memory.get();
    std::uint64_t row = 0;
    for (const Piece& piece : pieces) {
        if (is_widened_half) {
            narrow(to, piece.data, row, column);
        } else if (!piece.data.empty()) {
            std::memcpy(to, piece.data.data(), piece.data.size());
        }
        to += piece.n_rows * row_bytes;
        row += piece.n_rows;
    }
    return {memory, memory.get(), row_bytes, n_rows};
}

// The ragged values of a column, one after the other.
class ItemReader {
  public:
    ItemReader(const Field& field, const Variable& variable) : field_(field), variable_(variable) {}

    // `shapes` are those of the same block, where there are any.
    void add(const Piece& values, const Piece* shapes, const Missing& missing) {
        Reader in(values.data);
        std::uint64_t begin = 0;
        std::uint64_t shape_begin = 0;
        for (std::uint64_t i = 0; i < values.n_rows; ++i, ++row_) {
            const std::uint64_t end = values.ends ? values.end(i) : begin + 1;
            take_elements(in, std::exchange(begin, end), end);
            value_.shape = variable_.shape;
            if (shapes) {
                const std::uint64_t shape_end = shapes->end(i);
                take_shape(shapes->data, std::exchange(shape_begin, shape_end), shape_end);
            } else if (!field_.count) {
                value_.shape = {static_cast<std::int64_t>(n_values_)};
            }
            if (!missing.empty() && missing[row_]) {
                items_.add(std::span<const std::byte>());
            } else {
                add_value();
            }
        }
    }

    Rows::Items take() && { return std::move(items_).take(); }

  private:
    DataError wrong(const std::string& what) const {
        return DataError(describe(row_, field_.values) + " " + what);
    }

    void take_elements(Reader& in, std::uint64_t begin, std::uint64_t end) {
        const std::uint64_t n = end - begin;
        value_.texts.clear();
        if (variable_.dtype.kind == Kind::String) {
            for (std::uint64_t i = 0; i < n; ++i) value_.texts.push_back(in.text());
            n_values_ = n;
            return;
        }
        value_.data = in.take(n, field_.values.element_bytes);
        if (field_.element.is_widened_half) {
            halves_.resize(value_.data.size() / 2);
            narrow(halves_.data(), value_.data, row_, field_.values);
            value_.data = halves_;
        }
        const std::size_t per_value = field_.element.per_value;
        if (per_value == 0 ? n != 0 : n % per_value != 0) {
            throw wrong("has " + std::to_string(n) + " elements, where a value has " +
                        std::to_string(per_value));
        }
        n_values_ = per_value == 0 ? 0 : n / per_value;
    }

    void take_shape(std::span<const std::byte> extents, std::uint64_t begin, std::uint64_t end) {
        value_.shape.clear();
        for (std::uint64_t i = begin; i < end; ++i) {
            value_.shape.push_back(file::load<std::int64_t>(extents.data() + 8 * i));
        }
    }

    void add_value() {
        std::size_t bytes = 0;
        try {
            bytes = encoded_bytes(variable_, value_);
        } catch (const DataError&) {
            throw;
        } catch (const ValueError& error) {
            throw wrong(std::string("is damaged: ") + error.what());
        }
        encode(variable_, value_, items_.make(bytes));
    }

    const Field& field_;
    const Variable& variable_;
    file::ItemList items_;
    std::uint64_t row_ = 0;  // of the answer
    RaggedValue value_;      // at hand
    std::uint64_t n_values_ = 0;
    std::vector<std::byte> halves_;
};

// Which rows lack each of the fields that are stats; by field of the layout.
std::vector<Missing> missing_of(const Schema& schema, std::span<const std::size_t> fields,
                                const Pieces& pieces, std::uint64_t n_rows) {
    const std::size_t n_variables = schema.layout.n_variables();
    std::vector<Missing> missing(schema.fields.size());
    std::vector<bool> is_asked_for(schema.fields.size());
    for (const std::size_t f : fields) is_asked_for[f] = true;
    std::uint64_t row = 0;
    for (const Piece& piece : pieces) {
        std::uint64_t k = 0;
        for (std::uint64_t i = 0; i < piece.n_rows; ++i, ++row) {
            for (; k < piece.end(i); ++k) {
                const auto stat = file::load<std::uint32_t>(piece.data.data() + 4 * k);
                if (stat >= schema.layout.n_stats()) {
                    throw DataError(describe(row, *schema.missing) + " names stat " +
                                    std::to_string(stat) + " of " +
                                    std::to_string(schema.layout.n_stats()));
                }
                const std::size_t f = n_variables + stat;
                if (!is_asked_for[f]) continue;
                if (missing[f].empty()) missing[f].resize(static_cast<std::size_t>(n_rows));
                missing[f][row] = true;
            }
        }
    }
    return missing;
}

std::vector<Expected> expected_columns(const Schema& schema, std::span<const std::size_t> fields) {
    std::vector<Expected> expected{{schema.draw}};
    bool any_stat = false;
    for (const std::size_t f : fields) {
        const Field& field = schema.fields.at(f);
        expected.push_back({field.values, field.count});
        if (field.shape) expected.push_back({*field.shape});
        any_stat = any_stat || f >= schema.layout.n_variables();
    }
    if (any_stat) expected.push_back({*schema.missing});
    return expected;
}

}  // namespace
}  // namespace clickhouse

std::vector<Draws> ClickHouseTable::decode(std::span<const std::byte> answer,
                                           std::span<const std::size_t> fields) const {
    using namespace clickhouse;
    const std::vector<Expected> expected = expected_columns(*schema_, fields);
    const Received received = receive(answer, expected);
    const auto is_stat = [this](std::size_t f) { return f >= layout().n_variables(); };
    std::vector<Missing> missing(schema_->fields.size());
    if (std::any_of(fields.begin(), fields.end(), is_stat)) {
        missing = missing_of(*schema_, fields, received.columns.back(), received.n_rows);
    }

    std::vector<Draws> draws;
    draws.emplace_back(Variable{"draw", dtype_of<std::uint64_t>()},
                       rows_of(schema_->draw, false, 8, received.columns[0], received.n_rows),
                       Rows::Items(), Missing());
    std::size_t column = 1;
    for (const std::size_t f : fields) {
        const Field& field = schema_->fields[f];
        const Variable& variable = layout().fields()[f];
        const Pieces& values = received.columns[column++];
        const Pieces* const shapes = field.shape ? &received.columns[column++] : nullptr;
        Rows::Span span;
        Rows::Items items;
        if (variable.is_ragged()) {
            ItemReader reader(field, variable);
            for (std::size_t i = 0; i < values.size(); ++i) {
                reader.add(values[i], shapes ? &(*shapes)[i] : nullptr, missing[f]);
            }
            items = std::move(reader).take();
        } else {
            span = rows_of(field.values, field.element.is_widened_half, variable.row_bytes(),
                           values, received.n_rows);
        }
        draws.emplace_back(variable, std::move(span), std::move(items), missing[f]);
    }
    return draws;
}

}  // namespace drawstore
