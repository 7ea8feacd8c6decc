// A run with a variable and a stat of every dtype and every kind of shape, and the way through a
// block and back.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "clickhouse/native.hpp"
#include "clickhouse/received.hpp"
#include "clickhouse/schema.hpp"
#include "drawstore/clickhouse.hpp"
#include "drawstore/memory_backend.hpp"
#include "drawstore/ragged.hpp"
#include "file_stores.hpp"

namespace clickhouse_runs {

using namespace drawstore;

inline std::vector<DType> all_dtypes() {
    std::vector<DType> dtypes;
    for (int kind = 0; kind < static_cast<int>(Kind::Opaque); ++kind) {
        dtypes.push_back(dtype_of(static_cast<Kind>(kind)));
    }
    dtypes.push_back({Kind::Opaque, 16, "float128"});
    dtypes.push_back({Kind::Opaque, 8, "datetime64[ns]"});
    dtypes.push_back({Kind::Opaque, 8, ">f8"});
    dtypes.push_back({Kind::Opaque, 0, "S0"});
    dtypes.push_back({Kind::Opaque, 5, "S5"});
    dtypes.push_back({Kind::Opaque, 257, "S257"});
    return dtypes;
}

inline RunMeta every_kind() {
    RunMeta meta;
    for (const DType& dtype : all_dtypes()) {
        const std::string& name = dtype.descriptor;
        meta.variables.push_back({name, dtype});
        meta.variables.push_back({name + " (2, 3)", dtype, {2, 3}});
        meta.variables.push_back({name + " (0)", dtype, {0}});
        meta.variables.push_back({name + " (-1)", dtype, {-1}});
        meta.variables.push_back({name + " (-1, 2)", dtype, {-1, 2}});
        meta.variables.push_back({name + " any", dtype});
        meta.variables.back().undefined_ndim = true;
    }
    meta.sample_stats = meta.variables;
    return meta;
}

// The draw of a ragged variable: its bytes differ between rows and columns.
struct MadeUp {
    MadeUp(const Variable& variable, std::uint64_t row, std::size_t column) {
        value.shape = variable.shape;
        if (variable.undefined_ndim) value.shape.assign((row + column) % 4, 2);
        for (std::int64_t& extent : value.shape) {
            if (extent < 0) extent = static_cast<std::int64_t>((row + column) % 5);
        }
        std::size_t n = 1;
        for (const std::int64_t extent : value.shape) n *= static_cast<std::size_t>(extent);
        if (variable.dtype.kind == Kind::String) {
            for (std::size_t i = 0; i < n; ++i) {
                texts.emplace_back((row * 31 + column + i) % 200, static_cast<char>(row));
            }
            value.texts.assign(texts.begin(), texts.end());
            return;
        }
        bytes.resize(n * variable.dtype.itemsize);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            bytes[i] = file_stores::expected(row, column, i);
        }
        value.data = bytes;
    }

    std::vector<std::string> texts;
    std::vector<std::byte> bytes;
    RaggedValue value;
};

// Even rows lack no stat, odd ones some.
inline bool lacks(std::uint64_t row, std::size_t stat) {
    return row % 2 == 1 && (row + stat) % 3 == 0;
}

// Appends the row of that number, past Value, which has no opaque ones.
inline void append_row(Chain& chain, std::uint64_t row) {
    const Layout& layout = chain.layout();
    const auto& fields = layout.fields();
    std::vector<std::size_t> sizes(layout.any_ragged() ? layout.columns().size() : 0);
    std::vector<std::byte> missing(layout.missing_bytes());
    const auto is_there = [&](std::size_t f) {
        return f < layout.n_variables() || !lacks(row, f - layout.n_variables());
    };
    for (std::size_t f = 0; f < fields.size(); ++f) {
        const std::size_t stat = f - layout.n_variables();
        if (!is_there(f)) {
            missing[stat / 8] |= std::byte{1} << (stat % 8);
        } else if (fields[f].is_ragged()) {
            sizes[f] = encoded_bytes(fields[f], MadeUp(fields[f], row, f).value);
        }
    }
    Rows::Transaction transaction(chain.rows());
    const Rows::Slots slots = chain.rows().room(1, sizes);
    for (std::size_t f = 0; f < fields.size(); ++f) {
        std::byte* const target = slots.at(f);
        if (fields[f].is_ragged()) {
            if (is_there(f)) encode(fields[f], MadeUp(fields[f], row, f).value, target);
        } else if (is_there(f)) {
            for (std::size_t i = 0; i < fields[f].row_bytes(); ++i) {
                target[i] = file_stores::expected(row, f, i);
            }
        } else {
            fill_missing(fields[f], target);
        }
    }
    if (!missing.empty()) {
        std::memcpy(slots.at(layout.missing_column()), missing.data(), missing.size());
    }
    transaction.commit();
}

inline std::vector<std::size_t> all_fields(const ClickHouseTable& table) {
    std::vector<std::size_t> fields(table.layout().fields().size());
    std::iota(fields.begin(), fields.end(), std::size_t{0});
    return fields;
}

// What a server that was given these blocks answers when all fields are asked for: without the
// column "chain", and with "missing". Its blocks are as many as those.
inline std::vector<std::byte> as_answer(const RunMeta& meta,
                                        const std::vector<ClickHouseTable::Block>& blocks) {
    const clickhouse::Schema schema(meta);
    std::vector<clickhouse::Expected> expected{{schema.chain}, {schema.draw}};
    for (const clickhouse::Field& field : schema.fields) {
        expected.push_back({field.values, field.count});
        if (field.shape) expected.push_back({*field.shape});
    }
    std::vector<std::byte> answer;
    for (const auto& block : blocks) {
        std::vector<clickhouse::Expected> columns = expected;
        const std::uint64_t n_columns = clickhouse::Reader(block.bytes()).count();
        if (n_columns > expected.size()) columns.push_back({*schema.missing});
        const auto received = clickhouse::receive(block.bytes(), columns);
        std::vector<std::byte> bytes(2 * block.bytes().size() + 8 * received.n_rows + 1000);
        clickhouse::Writer out(bytes.data());
        out.count(expected.size() - 1 + schema.missing.has_value());
        out.count(received.n_rows);
        const auto put = [&](const clickhouse::Column& column, const clickhouse::Piece& piece) {
            out.text(column.name);
            out.text(column.type);
            if (column.is_array) out.bytes(piece.ends, 8 * piece.n_rows);
            out.bytes(piece.data.data(), piece.data.size());
        };
        const std::vector<std::byte> zeros(8 * received.n_rows);
        const clickhouse::Piece empty{received.n_rows, zeros.data(), {}};
        for (std::size_t c = 1; c < columns.size(); ++c) {
            const auto& pieces = received.columns[c];
            put(columns[c].column, pieces.empty() ? empty : pieces[0]);
        }
        if (schema.missing && n_columns == expected.size()) put(*schema.missing, empty);
        answer.insert(answer.end(), bytes.data(), out.at());
    }
    return answer;
}

// Whether draws that were decoded are rows of the chain, to the bit.
inline void check_draws(const Draws& draws, const Chain& chain, std::size_t f, Slice slice) {
    const Variable& variable = chain.layout().fields()[f];
    CAPTURE(variable.describe());
    REQUIRE(draws.size() == slice.stop - slice.start);
    REQUIRE(draws.missing() == chain.missing_rows(f, slice).value_or(std::vector<bool>()));
    if (variable.is_ragged()) {
        const auto expected = chain.rows().read_items(f, slice.start, slice.stop, 1);
        for (std::size_t i = 0; i < draws.size(); ++i) {
            const auto got = draws.items().items[i];
            const auto wanted = expected.items[i];
            REQUIRE(std::equal(got.begin(), got.end(), wanted.begin(), wanted.end()));
        }
        return;
    }
    const auto expected = chain.rows().read(f, slice.start, slice.stop, 1);
    for (std::size_t i = 0; i < draws.size(); ++i) {
        const std::byte* const got = draws.span().data + i * draws.span().stride;
        const std::byte* const wanted = expected.data + i * expected.stride;
        REQUIRE(std::equal(got, got + variable.row_bytes(), wanted));
    }
}

inline void check_round_trip(const RunMeta& meta, const Chain& chain, std::uint64_t first,
                             std::uint64_t stop) {
    const ClickHouseTable table(meta);
    const std::uint64_t middle = first + (stop - first) / 3;
    const std::vector<std::size_t> fields = all_fields(table);
    const std::vector<std::byte> answer =
        as_answer(meta, {table.encode(chain, first, middle), table.encode(chain, middle, stop)});
    const std::vector<Draws> draws = table.decode(answer, fields);
    REQUIRE(draws.size() == fields.size() + 1);
    REQUIRE(draws[0].size() == stop - first);
    for (std::uint64_t i = 0; i < draws[0].size(); ++i) {
        REQUIRE(draws[0].at<std::uint64_t>(i)[0] == first + i);
    }
    for (const std::size_t f : fields) check_draws(draws[f + 1], chain, f, {first, stop, 1});
}

}  // namespace clickhouse_runs
