#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <string>

#include "clickhouse/half.hpp"
#include "clickhouse/native.hpp"
#include "clickhouse_runs.hpp"
#include "drawstore/error.hpp"
#include "drawstore/file_backend.hpp"
#include "file_stores.hpp"
#include "journals.hpp"

using namespace clickhouse_runs;

namespace {

std::map<std::string, std::string> types_of(const RunMeta& meta) {
    std::map<std::string, std::string> types;
    for (const auto& column : ClickHouseTable(meta).columns()) types[column.name] = column.type;
    return types;
}

std::vector<std::string> names_of(const RunMeta& meta) {
    std::vector<std::string> names;
    for (const auto& column : ClickHouseTable(meta).columns()) names.push_back(column.name);
    return names;
}

std::vector<std::string> names_of(const std::vector<std::string>& variables) {
    RunMeta meta;
    for (const std::string& name : variables) meta.variables.push_back({name, dtype_of<double>()});
    std::vector<std::string> names = names_of(meta);
    names.erase(names.begin(), names.begin() + 2);
    return names;
}

}  // namespace

TEST_CASE("a table has a column for each field, of types that every server knows") {
    const auto types = types_of(every_kind());
    CHECK(types.at("chain") == "UInt32");
    CHECK(types.at("draw") == "UInt64");
    CHECK(types.at("missing") == "Array(UInt32)");
    CHECK(types.at("bool") == "UInt8");
    CHECK(types.at("int64") == "Int64");
    CHECK(types.at("float16") == "Float32");
    CHECK(types.at("float64 (2, 3)") == "Array(Float64)");
    CHECK(types.at("complex64") == "Array(Float32)");
    CHECK(types.at("complex128 (2, 3)") == "Array(Float64)");
    CHECK(types.at("str") == "String");
    CHECK(types.at("str (2, 3)") == "Array(String)");
    CHECK(types.at("float128") == "FixedString(16)");
    CHECK(types.at("datetime64[ns]") == "Int64");
    CHECK(types.at("S0") == "Array(UInt8)");
    CHECK(types.at("S257") == "Array(UInt8)");
    CHECK(types.at("float64 (-1)") == "Array(Float64)");
    CHECK(types.count("float64 (-1)_shape") == 0);
    CHECK(types.at("float64 (-1, 2)_shape") == "Array(UInt64)");
    CHECK(types.at("S0 (-1)_shape") == "Array(UInt64)");
    CHECK(types.at("str any_shape") == "Array(UInt64)");
    CHECK(types_of({}).count("missing") == 0);
}

TEST_CASE("names of columns are those of the fields, as far as a server takes them") {
    using Names = std::vector<std::string>;
    CHECK(names_of(Names{"x", "μ `'\"\\ \n", "日本語"}) == Names{"x", "μ `'\"\\ \n", "日本語"});
    CHECK(names_of(Names{"chain", "draw", "missing"}) == Names{"chain_2", "draw_2", "missing_2"});
    CHECK(names_of(Names{"a.b", "a_b", "a_b_2"}) == Names{"a_b", "a_b_2", "a_b_2_2"});
    CHECK(names_of(Names{"_part", ".."}) == Names{"v_part", "v__"});
    const std::string long_name(5000, 'n');
    CHECK(names_of(Names{long_name, long_name + "x"}) ==
          Names{std::string(200, 'n'), std::string(200, 'n') + "_2"});
    std::string umlauts;
    for (int i = 0; i < 100; ++i) umlauts += "ä";
    CHECK(names_of(Names{umlauts})[0] == umlauts.substr(0, 66));
    RunMeta meta;
    meta.variables = {{"x", dtype_of<double>()}, {"r", dtype_of<double>(), {-1, -1}}};
    meta.sample_stats = {{"x", dtype_of<double>()}, {"r_shape", dtype_of<double>()}};
    CHECK(names_of(meta) ==
          Names{"chain", "draw", "x", "r", "r_shape", "x_2", "r_shape_2", "missing"});
}

TEST_CASE("every float16 is a float32, with the bits of its NaNs") {
    for (std::uint32_t half = 0; half < 0x10000; ++half) {
        const std::uint32_t bits = clickhouse::widened(static_cast<std::uint16_t>(half));
        REQUIRE(clickhouse::narrowed(bits) == std::optional(static_cast<std::uint16_t>(half)));
        const double fraction = half & 0x3FF;
        const int exponent = half >> 10 & 0x1F;
        if (exponent == 0x1F) continue;
        const double value =
            exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
        REQUIRE(std::bit_cast<float>(bits & 0x7FFFFFFF) == static_cast<float>(value));
    }
    for (const float other : {1e-8F, 65536.0F, 1.0F / 3, 3e-8F, 1e38F, -1e-40F}) {
        CHECK_FALSE(clickhouse::narrowed(std::bit_cast<std::uint32_t>(other)));
    }
}

TEST_CASE("a block is what ClickHouse says it is") {
    RunMeta meta;
    meta.variables = {{"x", dtype_of<float>()}, {"v", dtype_of<std::int16_t>(), {2}}};
    meta.sample_stats = {{"s", text_dtype()}};
    MemoryBackend backend;
    const auto chain = backend.init_run(meta)->init_chain(258);
    chain->append({{"x", 0.0F}, {"v", std::vector<std::int16_t>{0, 0}}});
    chain->append({{"x", 1.0F}, {"v", std::vector<std::int16_t>{1, 2}}}, {{"s", "ab"}});
    chain->append({{"x", 2.0F}, {"v", std::vector<std::int16_t>{3, -1}}});
    const auto block = ClickHouseTable(meta).encode(*chain, 1, 3);
    CHECK(block.first() == 1);
    CHECK(block.stop() == 3);
    const char expected[] =
        "\x06\x02"
        "\x05"
        "chain"
        "\x06"
        "UInt32"
        "\x02\x01\0\0"
        "\x02\x01\0\0"
        "\x04"
        "draw"
        "\x06"
        "UInt64"
        "\x01\0\0\0\0\0\0\0"
        "\x02\0\0\0\0\0\0\0"
        "\x01"
        "x"
        "\x07"
        "Float32"
        "\0\0\x80\x3F"
        "\0\0\0\x40"
        "\x01"
        "v"
        "\x0C"
        "Array(Int16)"
        "\x02\0\0\0\0\0\0\0"
        "\x04\0\0\0\0\0\0\0"
        "\x01\0\x02\0"
        "\x03\0\xFF\xFF"
        "\x01"
        "s"
        "\x06"
        "String"
        "\x02"
        "ab"
        "\0"
        "\x07"
        "missing"
        "\x0D"
        "Array(UInt32)"
        "\0\0\0\0\0\0\0\0"
        "\x01\0\0\0\0\0\0\0"
        "\0\0\0\0";
    const auto bytes = block.bytes();
    const std::string_view got(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    CHECK(got == std::string_view(expected, sizeof expected - 1));
}

TEST_CASE("what no row lacks takes no column") {
    const RunMeta meta = every_kind();
    const ClickHouseTable table(meta);
    MemoryBackend backend;
    const auto chain = backend.init_run(meta)->init_chain(0);
    for (int i = 0; i < 3; ++i) append_row(*chain, static_cast<std::uint64_t>(i) * 2);
    for (int i = 0; i < 3; ++i) append_row(*chain, 5);
    CHECK(clickhouse::Reader(table.encode(*chain, 0, 3).bytes()).count() ==
          table.columns().size() - 1);
    CHECK(clickhouse::Reader(table.encode(*chain, 0, 4).bytes()).count() == table.columns().size());
}

TEST_CASE("every dtype and shape comes back to the bit, from every kind of rows") {
    RunMeta rigid = every_kind();
    std::erase_if(rigid.variables, [](const Variable& variable) { return variable.is_ragged(); });
    rigid.sample_stats = rigid.variables;
    for (const RunMeta& meta : {every_kind(), rigid}) {
        const auto shared = std::make_shared<const RunMeta>(meta);
        const file_stores::Folder folder;
        MemoryBackend memory;
        FileBackend files(folder.path() / "runs");
        std::vector<std::shared_ptr<Chain>> chains{memory.init_run(meta)->init_chain(1),
                                                   files.init_run(meta)->init_chain(1)};
        std::vector<std::unique_ptr<Journal>> journals;
        for (const std::size_t segment_bytes : {0, 20'000}) {
            journals.push_back(std::make_unique<Journal>(Journal::Options{segment_bytes}));
            for (const TailStore store : {TailStore::Mapped, TailStore::Written}) {
                const auto path = folder / ("journal" + std::to_string(journals.size()));
                journals.push_back(
                    std::make_unique<Journal>(path, Journal::Options{segment_bytes, store}));
            }
        }
        for (const auto& journal : journals) {
            chains.push_back(journal->begin_chain(journals::id_of(1), "chain", shared, 1, 0, 0));
        }
        for (const auto& chain : chains) {
            for (std::uint64_t i = 0; i < 150; ++i) append_row(*chain, i);
            for (const std::uint64_t first : {0, 7, 149, 150}) {
                check_round_trip(meta, *chain, first, 150);
            }
        }
    }
}

TEST_CASE("rows of a journal are numbered as in the store") {
    RunMeta meta;
    meta.variables = {{"n", dtype_of<std::uint64_t>()}};
    Journal journal(Journal::Options{4096});
    const auto chain = journal.begin_chain(journals::id_of(1), "chain",
                                           std::make_shared<const RunMeta>(meta), 7, 1000, 0);
    for (std::uint64_t n = 1000; n < 3000; ++n) chain->append({{"n", n}});
    chain->release(1500);
    const ClickHouseTable table(meta);
    CHECK_THROWS_AS((void)table.encode(*chain, 1499, 1600), StateError);
    CHECK_THROWS_AS((void)table.encode(*chain, 1600, 3001), ValueError);
    const auto block = table.encode(*chain, 1500, 3000);
    const std::array<std::size_t, 1> fields{0};
    const auto draws = table.decode(as_answer(meta, {block}), fields);
    REQUIRE(draws[0].size() == 1500);
    for (std::uint64_t i = 0; i < 1500; ++i) {
        REQUIRE(draws[0].at<std::uint64_t>(i)[0] == 1500 + i);
        REQUIRE(draws[1].at<std::uint64_t>(i)[0] == 1500 + i);
    }
}

TEST_CASE("a block stays what it is while others are made") {
    RunMeta meta;
    meta.variables = {{"n", dtype_of<std::uint64_t>()}};
    MemoryBackend backend;
    const auto chain = backend.init_run(meta)->init_chain(0);
    for (std::uint64_t n = 0; n < 20'000; ++n) chain->append({{"n", n}});
    auto table = std::make_unique<ClickHouseTable>(meta);
    const auto block = table->encode(*chain, 0, 10'000);
    const std::vector<std::byte> bytes(block.bytes().begin(), block.bytes().end());
    for (int i = 0; i < 5; ++i) table->encode(*chain, 10'000, 20'000);
    table.reset();
    CHECK(std::equal(bytes.begin(), bytes.end(), block.bytes().begin()));
}

TEST_CASE("rows are cut so that a block fits") {
    MemoryBackend backend;
    RunMeta meta;
    meta.variables = {{"x", dtype_of<double>(), {10}}};
    const ClickHouseTable table(meta);
    const auto chain = backend.init_run(meta)->init_chain(0);
    const std::vector<double> zeros(10 * 100'000);
    for (int i = 0; i < 12; ++i) chain->extend(100'000, {{"x", zeros}});
    const std::uint64_t n = table.rows_fitting(*chain, 0, 1'200'000);
    CHECK(table.encode(*chain, 0, n).bytes().size() <= ClickHouseTable::most_bytes);
    CHECK(table.encode(*chain, 0, n + 2).bytes().size() > ClickHouseTable::most_bytes);
    CHECK(table.rows_fitting(*chain, 0, 1'200'000, std::size_t{1} << 40) ==
          ClickHouseTable::most_rows);
    CHECK(table.rows_fitting(*chain, 1'199'999, 1'200'000) == 1);
    CHECK(table.rows_fitting(*chain, 5, 100, 1) == 1);
    CHECK(table.rows_fitting(*chain, 5, 5) == 0);
    CHECK_THROWS_AS((void)table.rows_fitting(*chain, 6, 5), ValueError);

    RunMeta ragged;
    ragged.variables = {{"text", text_dtype()}, {"h", dtype_of(Kind::Float16), {-1}}};
    ragged.sample_stats = {{"s", text_dtype(), {3}}};
    const ClickHouseTable other(ragged);
    CHECK_THROWS_AS((void)other.encode(*chain, 0, 1), ValueError);
    const auto texts = backend.init_run(ragged)->init_chain(0);
    for (std::size_t i = 0; i < 3000; ++i) {
        const std::string text(i * 37 % 101, 'x');
        Value halves(0.0);
        const std::vector<std::uint16_t> bits(i % 7, 0x3C00);
        halves.kind = Kind::Float16;
        halves.data = std::as_bytes(std::span(bits));
        texts->append({{"text", text}, {"h", halves}});
    }
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{500}, std::size_t{20'000}}) {
        for (std::uint64_t row = 0; row < 3000;) {
            const std::uint64_t fitting = other.rows_fitting(*texts, row, 3000, bytes);
            REQUIRE(fitting > 0);
            const auto size = other.encode(*texts, row, row + fitting).bytes().size();
            if (fitting > 1) REQUIRE(size <= bytes);
            row += fitting;
        }
    }
}
