// The run of which tests/data/format-N holds the files, as version N of the format wrote them.
// Whoever changes the bytes that are written raises the version, and keeps reading these.
#pragma once

#include <complex>
#include <memory>
#include <string>
#include <vector>

#include "drawstore/chain.hpp"
#include "drawstore/run.hpp"
#include "file/file_rows.hpp"
#include "file/names.hpp"
#include "file/run_meta.hpp"

namespace golden {

namespace fs = std::filesystem;

inline constexpr std::uint64_t draws_of_chain[] = {75, 2, 0};

inline drawstore::RunMeta meta() {
    using drawstore::dtype_of;
    drawstore::RunMeta meta{"golden", {}, {}, std::string("\x0a\x06golden", 8)};
    meta.variables = {
        {.name = "flag", .dtype = dtype_of<bool>()},
        {.name = "int8", .dtype = dtype_of<std::int8_t>(), .shape = {3}},
        {.name = "int16", .dtype = dtype_of<std::int16_t>()},
        {.name = "int32", .dtype = dtype_of<std::int32_t>(), .shape = {2, 2}, .dims = {"a", "b"}},
        {.name = "int64", .dtype = dtype_of<std::int64_t>()},
        {.name = "uint8", .dtype = dtype_of<std::uint8_t>()},
        {.name = "uint64", .dtype = dtype_of<std::uint64_t>()},
        {.name = "float32", .dtype = dtype_of<float>(), .shape = {5}},
        {.name = "float64", .dtype = dtype_of<double>(), .is_deterministic = true},
        {.name = "complex128", .dtype = dtype_of<std::complex<double>>()},
        {.name = "empty", .dtype = dtype_of<double>(), .shape = {0, 4}},
        {.name = "ragged", .dtype = dtype_of<float>(), .shape = {-1}},
        {.name = "text \xC3\xBC", .dtype = drawstore::text_dtype()},
    };
    meta.sample_stats = {
        {.name = "energy", .dtype = dtype_of<double>()},
        {.name = "tune", .dtype = dtype_of<bool>()},
    };
    return meta;
}

inline void append(drawstore::Chain& chain, std::int64_t i) {
    const auto small = static_cast<std::int8_t>(i - 40);
    const std::vector<std::int8_t> int8{small, static_cast<std::int8_t>(small + 1), -7};
    const auto i32 = static_cast<std::int32_t>(i);
    const std::vector<std::int32_t> int32{i32, -i32, 1000 * i32, 7};
    const auto f = static_cast<float>(i);
    const std::vector<float> float32{f, f / 2, f / 4, f / 8, -f};
    const std::vector<float> ragged(static_cast<std::size_t>(i % 4), f / 16);
    const std::string text = i % 5 == 0 ? "" : "draw " + std::to_string(i) + " \xE2\x9C\x93";
    const bool flag = i % 3 == 0;
    const auto int16 = static_cast<std::int16_t>(-300 * i);
    const std::int64_t int64 = i * 10'000'000'000;
    const auto uint8 = static_cast<std::uint8_t>(3 * i);
    const auto uint64 = ~static_cast<std::uint64_t>(i);
    const double float64 = 0.1 * static_cast<double>(i);
    const std::complex<double> complex128(static_cast<double>(i), -0.5);
    const std::vector<double> empty;
    const double energy = -1.5 * static_cast<double>(i);
    const bool tune = i < 20;
    std::vector<drawstore::NamedValue> stats;  // views of what is above
    if (i % 4 != 1) stats.emplace_back("energy", energy);
    if (i % 7 != 2) stats.emplace_back("tune", tune);
    const std::vector<drawstore::NamedValue> draw{
        {"flag", flag},          {"int8", int8},     {"int16", int16},   {"int32", int32},
        {"int64", int64},        {"uint8", uint8},   {"uint64", uint64}, {"float32", float32},
        {"float64", float64},    {"ragged", ragged}, {"empty", empty},   {"complex128", complex128},
        {"text \xC3\xBC", text},
    };
    chain.append(draw, stats);
}

inline fs::path data_file(const fs::path& folder, std::uint32_t number) {
    return folder / drawstore::file::chain_file_name(number);
}

// Writes the files of the run: two tails, and one file with several blocks.
inline void write(const fs::path& folder, drawstore::Time created_at,
                  std::span<const drawstore::file::Id> ids) {
    const auto meta = std::make_shared<const drawstore::RunMeta>(golden::meta());
    const auto columns = drawstore::Layout(*meta).columns();
    drawstore::file::write_run_meta(folder, *meta, created_at);
    for (std::uint32_t number = 0; number < ids.size(); ++number) {
        drawstore::Chain chain(meta, number,
                               drawstore::FileRows::create(
                                   data_file(folder, number), number, columns,
                                   {.tail_bytes = 4096, .id = ids[number], .sync_interval = 0}));
        for (std::uint64_t i = 0; i < draws_of_chain[number]; ++i) {
            append(chain, static_cast<std::int64_t>(i));
        }
        chain.flush(true);
    }
}

}  // namespace golden
