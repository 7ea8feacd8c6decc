#include "clickhouse/received.hpp"

#include "clickhouse/native.hpp"
#include "file/bytes.hpp"

namespace drawstore::clickhouse {
namespace {

constexpr std::size_t end_bytes = 8;

std::string in_words(const Column& column) { return "'" + column.name + "' (" + column.type + ")"; }

void check_head(Reader& in, const Column& column) {
    const std::string name(in.text());
    const std::string type(in.text());
    if (name != column.name || type != column.type) {
        throw DataError("expected the column " + in_words(column) +
                        " in an answer of ClickHouse, got '" + name.substr(0, 200) + "' (" +
                        type.substr(0, 200) + ")");
    }
}

// Takes the ends of the rows' arrays, and gives the number of elements of all of them.
std::uint64_t take_ends(Reader& in, const Expected& expected, Piece& piece, std::uint64_t before) {
    piece.ends = in.take(piece.n_rows, end_bytes).data();
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < piece.n_rows; ++i) {
        const std::uint64_t end = piece.end(i);
        if (end < last || (expected.count && end - last != *expected.count)) {
            throw DataError(describe(before + i, expected.column) + " has " +
                            (end < last ? "less than no" : std::to_string(end - last)) +
                            " elements" +
                            (expected.count ? ", and not " + std::to_string(*expected.count) : ""));
        }
        last = end;
    }
    return last;
}

Piece take_rows(Reader& in, const Expected& expected, std::uint64_t n_rows, std::uint64_t before) {
    Piece piece{n_rows, nullptr, {}};
    std::uint64_t n_elements = n_rows;
    if (expected.column.is_array) n_elements = take_ends(in, expected, piece, before);
    if (expected.column.element_bytes > 0) {
        piece.data = in.take(n_elements, expected.column.element_bytes);
        return piece;
    }
    const std::byte* const begin = in.at();
    for (std::uint64_t i = 0; i < n_elements; ++i) in.text();
    piece.data = {begin, in.at()};
    return piece;
}

}  // namespace

std::uint64_t Piece::end(std::uint64_t row) const noexcept {
    return file::load<std::uint64_t>(ends + row * end_bytes);
}

std::string describe(std::uint64_t row, const Column& column) {
    return "row " + std::to_string(row) + " of column '" + column.name +
           "' in an answer of ClickHouse";
}

Received receive(std::span<const std::byte> answer, const std::vector<Expected>& expected) {
    Received received;
    received.columns.resize(expected.size());
    for (Reader in(answer); !in.is_at_end();) {
        const std::uint64_t n_columns = in.count();
        const std::uint64_t n_rows = in.count();
        if (n_columns == 0 && n_rows == 0) continue;
        if (n_columns != expected.size()) {
            throw DataError("expected " + std::to_string(expected.size()) +
                            " columns in an answer of ClickHouse, got " +
                            std::to_string(n_columns));
        }
        for (std::size_t c = 0; c < expected.size(); ++c) {
            check_head(in, expected[c].column);
            if (n_rows == 0) continue;
            received.columns[c].push_back(take_rows(in, expected[c], n_rows, received.n_rows));
        }
        received.n_rows += n_rows;
    }
    return received;
}

}  // namespace drawstore::clickhouse
