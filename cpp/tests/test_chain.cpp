#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <thread>

#include "drawstore/error.hpp"
#include "drawstore/memory_backend.hpp"
#include "drawstore/ragged.hpp"

using namespace drawstore;

namespace {

RunMeta example() {
    RunMeta meta;
    meta.variables = {{"x", dtype_of<double>(), {2}},
                      {"n", dtype_of<std::int32_t>(), {}},
                      {"r", dtype_of<float>(), {-1, 2}},
                      {"name", text_dtype(), {}}};
    meta.sample_stats = {{"lp", dtype_of<double>(), {}}, {"tune", dtype_of<bool>(), {}}};
    return meta;
}

void append_one(Chain& chain, int i) {
    const std::vector<double> x{1.0 * i, 2.0 * i};
    const std::vector<float> r(static_cast<std::size_t>(2 * i), 0.5F);
    const std::string name = "draw " + std::to_string(i);
    chain.append({{"x", x}, {"n", std::int32_t{i}}, {"r", r}, {"name", name}},
                 {{"lp", -1.0 * i}, {"tune", i % 2 == 0}});
}

}  // namespace

TEST_CASE("a run in memory gives back what it was given") {
    MemoryBackend backend;
    const auto run = backend.init_run(example());
    CHECK(run->meta().rid.size() == 16);
    const auto chain = run->init_chain(3);
    for (int i = 0; i < 100; ++i) append_one(*chain, i);
    REQUIRE(chain->size() == 100);
    const Draws x = chain->get_draws("x");
    CHECK(x.all<double>().size() == 200);
    CHECK(x.at<double>(99)[1] == 198.0);
    const Draws thinned = chain->get_draws("n", {10, 90, 7});
    REQUIRE(thinned.size() == 12);
    CHECK(thinned.at<std::int32_t>(11)[0] == 87);
    CHECK_THROWS_AS((void)thinned.all<std::int32_t>(), StateError);
    const Draws r = chain->get_draws("r");
    CHECK(r.shape_at(7) == std::vector<std::int64_t>{7, 2});
    CHECK(r.at<float>(7).size() == 14);
    CHECK(r.at<float>(0).empty());
    CHECK(chain->get_draws("name", {41, 42, 1}).texts_at(0).at(0) == "draw 41");
    const Chain::Row row = chain->get_draws_at(41);
    CHECK(row.size() == 4);
    CHECK(row.at("x").at<double>(0)[1] == 82.0);
    CHECK(row.at("name").texts_at(0).at(0) == "draw 41");
    CHECK(chain->get_stats_at(41, {"lp"}).at("lp").at<double>(0)[0] == -41.0);
    CHECK_THROWS_AS((void)chain->get_draws_at(100), ValueError);
    CHECK_THROWS_AS((void)chain->get_draws_at(1, {"lp"}), NameError);
    CHECK(chain->get_stats("tune").at<bool>(4)[0]);
    CHECK_FALSE(chain->get_stats("tune").is_missing(4));
}

TEST_CASE("views stay what they were while the chain grows") {
    MemoryBackend backend(1);
    const auto chain = backend.init_run(example())->init_chain(0);
    append_one(*chain, 1);
    const Draws x = chain->get_draws("x");
    const Draws name = chain->get_draws("name");
    for (int i = 2; i < 10'000; ++i) append_one(*chain, i);
    CHECK(x.size() == 1);
    CHECK(x.at<double>(0)[1] == 2.0);
    CHECK(name.texts_at(0).at(0) == "draw 1");
}

TEST_CASE("a stat that is left out is missing in that row, and keeps its dtype") {
    MemoryBackend backend;
    const auto chain = backend.init_run(example())->init_chain(0);
    append_one(*chain, 0);
    const std::array x{1.0, 2.0};
    const std::array r{1.0F, 2.0F};
    chain->append({{"x", std::span<const double>(x)},
                   {"n", std::int32_t{1}},
                   {"r", std::span<const float>(r)},
                   {"name", "two"}},
                  {{"tune", true}});
    const Draws lp = chain->get_stats("lp");
    CHECK_FALSE(lp.is_missing(0));
    CHECK(lp.is_missing(1));
    CHECK(lp.at<double>(1)[0] != lp.at<double>(1)[0]);
    CHECK_FALSE(chain->get_stats("tune").is_missing(1));
}

TEST_CASE("a block is appended whole") {
    MemoryBackend backend;
    RunMeta meta;
    meta.variables = {{"x", dtype_of<double>(), {3}}, {"i", dtype_of<std::int64_t>(), {}}};
    const auto chain = backend.init_run(meta)->init_chain(0);
    std::vector<double> x;
    std::vector<std::int64_t> numbers;
    for (int i = 0; i < 1000; ++i) {
        numbers.push_back(i);
        for (int k = 0; k < 3; ++k) x.push_back(i + 0.1 * k);
    }
    chain->extend(1000, {{"x", x}, {"i", numbers}});
    chain->extend(0, {{"x", std::vector<double>()}, {"i", std::vector<std::int64_t>()}});
    CHECK(chain->size() == 1000);
    CHECK(chain->get_draws("x").at<double>(999)[2] == x.back());
    CHECK_THROWS_AS(chain->extend(999, {{"x", x}, {"i", numbers}}), ValueError);
    CHECK(chain->size() == 1000);
}

TEST_CASE("values of no bytes are draws like others") {
    MemoryBackend backend;
    const drawstore::DType none{drawstore::Kind::Opaque, 0, "V0"};
    const auto run =
        backend.init_run({.variables = {{"rigid", none, {2}}, {"ragged", none, {-1}}}});
    const auto chain = run->init_chain(0);
    drawstore::Value value(std::span<const double>{});
    value.kind = drawstore::Kind::Opaque;
    chain->extend(3, {{"rigid", value}, {"ragged", value}});
    CHECK(chain->size() == 3);
    CHECK(chain->get_draws("ragged").shape_at(0) == std::vector<std::int64_t>{0});
}

TEST_CASE("errors name what is wrong and leave the chain as it was") {
    MemoryBackend backend;
    const auto run = backend.init_run(example());
    const auto chain = run->init_chain(0);
    append_one(*chain, 1);
    const std::vector<double> x{1, 2};
    const std::vector<double> three{1, 2, 3};
    const std::vector<float> r(3);
    const std::vector<float> even(4);
    CHECK_THROWS_WITH_AS(chain->append({{"x", x}}), "no value for 'n' (int32, shape ())",
                         ValueError);
    CHECK_THROWS_AS(chain->append({{"nope", x}}), NameError);
    CHECK_THROWS_AS(chain->append({{"x", three}, {"n", std::int32_t{1}}, {"r", r}, {"name", "a"}}),
                    ValueError);
    CHECK_THROWS_AS(chain->append({{"x", x}, {"n", 1.5}, {"r", even}, {"name", "a"}}), TypeError);
    CHECK_THROWS_AS(chain->append({{"x", x}, {"n", std::int32_t{1}}, {"r", r}, {"name", "a"}}),
                    ValueError);
    CHECK_THROWS_AS((void)chain->get_draws("lp"), NameError);
    CHECK_THROWS_AS((void)chain->get_draws("x").at<float>(0), TypeError);
    CHECK(chain->size() == 1);
    CHECK_THROWS_AS(run->init_chain(0), ValueError);
    chain->close();
    CHECK_THROWS_AS(append_one(*chain, 2), StateError);
    CHECK(run->init_chain(0, Run::Existing::Resume) == chain);
    append_one(*chain, 2);
    CHECK(chain->size() == 2);
}

TEST_CASE("a backend in memory knows its runs") {
    MemoryBackend backend;
    RunMeta meta = example();
    meta.rid = "first";
    backend.init_run(meta);
    CHECK_THROWS_AS(backend.init_run(meta), ValueError);
    const auto second = backend.init_run(example());
    append_one(*second->init_chain(7), 1);
    const auto runs = backend.get_runs();
    REQUIRE(runs.size() == 2);
    CHECK(runs[0].rid == "first");
    CHECK(runs[1].chains.at(7) == 1);
    backend.delete_run("first");
    CHECK_THROWS_AS(backend.get_run("first"), NameError);
    CHECK_THROWS_AS(backend.delete_run("first"), NameError);
    meta.variables.push_back(meta.variables.front());
    CHECK_THROWS_AS(backend.init_run(meta), ValueError);
}

TEST_CASE("readers see whole rows only, ragged ones too, while a chain grows") {
    MemoryBackend backend;
    const auto chain = backend.init_run(example())->init_chain(0);
    constexpr int n = 3000;
    std::thread writer([&] {
        for (int i = 0; i < n; ++i) append_one(*chain, i % 50);
    });
    bool all_whole = true;
    while (chain->size() < n) {
        const std::uint64_t size = chain->size();
        if (size == 0) continue;
        const Slice last{size - 1, size, 1};
        const auto number = chain->get_draws("n", last).at<std::int32_t>(0)[0];
        all_whole =
            all_whole && chain->get_draws("r", last).shape_at(0)[0] == number &&
            chain->get_draws("name", last).texts_at(0).at(0) == "draw " + std::to_string(number);
    }
    writer.join();
    CHECK(all_whole);
}

TEST_CASE("a damaged item is an error, whatever it says") {
    const Variable texts{"t", text_dtype(), {-1}};
    const RaggedValue value{{3}, {}, {"a", "", "longer than eight bytes"}};
    std::vector<std::byte> item(encoded_bytes(texts, value));
    encode(texts, value, item.data());
    CHECK(decode(texts, item).texts == value.texts);
    for (std::size_t size = 1; size < item.size(); ++size) {
        CHECK_THROWS_AS(decode(texts, std::span(item).first(size / 8 * 8 == 0 ? 1 : size / 8 * 8)),
                        DataError);
    }
    std::vector<std::byte> huge = item;
    huge[7] = std::byte{0x7F};
    CHECK_THROWS_AS(decode(texts, huge), DataError);
    const Variable any{"a", dtype_of<double>(), {}, {}, false, true};
    std::vector<std::byte> dimensions(16, std::byte{0xFF});
    CHECK_THROWS_AS(decode(any, dimensions), DataError);
}
