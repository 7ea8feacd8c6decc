#include <doctest/doctest.h>

#include <array>
#include <random>
#include <string>

#include "clickhouse_runs.hpp"
#include "drawstore/error.hpp"

using namespace clickhouse_runs;

namespace {

struct Example {
    explicit Example(RunMeta run) : meta(std::move(run)), table(meta), fields(all_fields(table)) {
        MemoryBackend backend;
        const auto chain = backend.init_run(meta)->init_chain(0);
        for (std::uint64_t i = 0; i < 12; ++i) append_row(*chain, i);
        answer = as_answer(meta, {table.encode(*chain, 0, 5), table.encode(*chain, 5, 12)});
    }

    RunMeta meta;
    ClickHouseTable table;
    std::vector<std::size_t> fields;
    std::vector<std::byte> answer;
};

// Few columns, so that a change hits what matters often.
RunMeta small() {
    RunMeta meta;
    meta.variables = {{"x", dtype_of<double>()},
                      {"v", dtype_of<std::int16_t>(), {3}},
                      {"h", dtype_of(Kind::Float16), {-1}},
                      {"t", text_dtype(), {2}},
                      {"c", dtype_of(Kind::Complex64), {-1, 2}},
                      {"o", {Kind::Opaque, 257, "S257"}, {-1}},
                      {"z", {Kind::Opaque, 0, "S0"}, {-1}}};
    meta.sample_stats = {{"s", text_dtype()}, {"u", dtype_of<bool>()}};
    return meta;
}

std::string error_of(const Example& example, std::span<const std::byte> answer) {
    try {
        (void)example.table.decode(answer, example.fields);
    } catch (const DataError& error) {
        return error.what();
    }
    return "";
}

// Reads all that an answer says, so that a sanitizer sees what is not there.
std::uint64_t sum_of(const std::vector<Draws>& all) {
    std::uint64_t sum = 0;
    for (const Draws& draws : all) {
        for (const auto item : draws.items().items) {
            for (const std::byte byte : item) sum += static_cast<std::uint64_t>(byte);
            if (!item.empty()) sum += decode(draws.variable(), item).shape.size();
        }
        const auto& span = draws.span();
        for (std::uint64_t i = 0; i < span.n_rows * span.stride; ++i) {
            sum += static_cast<std::uint64_t>(span.data[i]);
        }
    }
    return sum;
}

void check_is_survived(const Example& example, std::span<const std::byte> answer) {
    // In memory of exactly its size, so that a sanitizer sees a read behind it.
    const std::vector<std::byte> copy(answer.begin(), answer.end());
    try {
        (void)sum_of(example.table.decode(copy, example.fields));
    } catch (const DataError&) {
    }
}

}  // namespace

TEST_CASE("an answer that is cut off anywhere but between blocks is an error") {
    const Example example(small());
    const auto whole = example.table.decode(example.answer, example.fields);
    CHECK(whole[0].size() == 12);
    int n_right = 0;
    for (std::size_t size = 0; size < example.answer.size(); ++size) {
        const std::vector<std::byte> cut(
            example.answer.begin(), example.answer.begin() + static_cast<std::ptrdiff_t>(size));
        try {
            const auto draws = example.table.decode(cut, example.fields);
            CHECK((draws[0].size() == 0 || draws[0].size() == 5));
            ++n_right;
        } catch (const DataError& error) {
            CHECK(std::string(error.what()).find("answer of ClickHouse") != std::string::npos);
        }
    }
    CHECK(n_right == 2);
}

TEST_CASE("no change of an answer does worse than an error") {
    const Example examples[] = {Example(small()), Example(every_kind())};
    std::mt19937_64 random(1);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    for (int i = 0; i < 10'000; ++i) {
        const Example& example = examples[i % 10 == 0];
        std::vector<std::byte> changed = example.answer;
        for (std::size_t n = 1 + below(3); n > 0; --n) {
            const std::size_t at = below(changed.size());
            const std::size_t size = std::min(changed.size() - at, std::size_t{1} << below(5));
            switch (below(5)) {
                case 0:
                    changed[at] ^= std::byte{1} << below(8);
                    break;
                case 1:
                    for (std::size_t k = 0; k < size; ++k) {
                        changed[at + k] = static_cast<std::byte>(random());
                    }
                    break;
                case 2:
                    std::fill_n(changed.begin() + static_cast<std::ptrdiff_t>(at), size,
                                std::byte{0xFF});
                    break;
                case 3:
                    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(at),
                                  changed.begin() + static_cast<std::ptrdiff_t>(at + size));
                    break;
                default:
                    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(at), size,
                                   changed[at]);
            }
            if (changed.empty()) break;
        }
        check_is_survived(example, changed);
    }
}

TEST_CASE("counts that nothing stands behind take no memory") {
    RunMeta meta;
    meta.variables = {{"v", {Kind::Opaque, 256, "S256"}, {-1}}};
    const ClickHouseTable table(meta);
    for (const std::uint64_t count :
         {std::uint64_t{1} << 40, std::uint64_t{1} << 61, ~std::uint64_t{0}}) {
        std::vector<std::byte> answer(200);
        clickhouse::Writer out(answer.data());
        out.count(2);
        out.count(1);
        out.text("draw");
        out.text("UInt64");
        out.bytes(&count, 8);
        out.text("v");
        out.text("Array(FixedString(256))");
        out.bytes(&count, 8);
        const std::size_t begun = static_cast<std::size_t>(out.at() - answer.data());
        const std::array<std::size_t, 1> fields{0};
        CHECK_THROWS_AS((void)table.decode(answer, fields), DataError);
        out = clickhouse::Writer(answer.data() + 1);
        out.count(count);
        CHECK_THROWS_AS((void)table.decode(std::span(answer).first(begun), fields), DataError);
    }
}

TEST_CASE("errors name the column and the row") {
    const Example example(small());
    const auto with = [&](std::string_view what, std::size_t offset, std::uint64_t value,
                          std::size_t bytes) {
        std::vector<std::byte> changed = example.answer;
        const auto found = std::search(changed.rbegin(), changed.rend(), what.rbegin(), what.rend(),
                                       [](std::byte a, char b) { return a == std::byte(b); });
        REQUIRE(found != changed.rend());
        std::memcpy(&*found.base() + offset, &value, bytes);
        return error_of(example, changed);
    };
    CHECK(with("Array(Int16)", 8, 7, 8) ==
          "row 6 of column 'v' in an answer of ClickHouse has 4 elements, and not 3");
    CHECK(with("Array(Int16)", 8, 2, 8) ==
          "row 6 of column 'v' in an answer of ClickHouse has less than no elements, and not 3");
    CHECK(with("Array(UInt32)", 7 * 8, 9, 4) ==
          "row 5 of column 'missing' in an answer of ClickHouse names stat 9 of 2");
    CHECK(with("Array(Int16)", ~std::size_t{0} - 1, '7', 1) ==
          "expected the column 'v' (Array(Int16)) in an answer of ClickHouse, got 'v' "
          "(Array(Int17))");
    CHECK(with("c\x0E"
               "Array(Float32)",
               0, 1, 8)
              .find("row 5 of column 'c'") == 0);
    std::vector<std::byte> answer = example.answer;
    answer[0] = std::byte{3};
    CHECK(error_of(example, answer) == "expected 13 columns in an answer of ClickHouse, got 3");
}
