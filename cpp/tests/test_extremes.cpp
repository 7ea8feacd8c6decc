#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "drawstore/error.hpp"
#include "drawstore/extremes.hpp"

namespace drawstore {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

template <typename T>
std::vector<double> found(const std::vector<T>& values, Kind kind, std::size_t bucket,
                          std::size_t every = 1) {
    const std::size_t n = count_buckets(values.size(), every);
    std::vector<double> into(2 * count_buckets(n, bucket));
    extremes({reinterpret_cast<const std::byte*>(values.data()), kind, n,
              static_cast<std::ptrdiff_t>(every * sizeof(T))},
             bucket, into);
    return into;
}

// By their definition.
template <typename T>
std::vector<double> expected(const std::vector<T>& values, std::size_t bucket,
                             std::size_t every = 1) {
    std::vector<double> series;
    for (std::size_t i = 0; i < values.size(); i += every) {
        series.push_back(static_cast<double>(values[i]));
    }
    std::vector<double> pairs;
    for (std::size_t begin = 0; begin < series.size(); begin += bucket) {
        const std::size_t end = std::min(series.size(), begin + bucket);
        std::size_t least = end;
        std::size_t greatest = end;
        for (std::size_t i = begin; i < end; ++i) {
            if (!std::isfinite(series[i])) continue;
            if (least == end || series[i] < series[least]) least = i;
            if (greatest == end || series[i] > series[greatest]) greatest = i;
        }
        pairs.push_back(least == end ? nan : series[std::min(least, greatest)]);
        pairs.push_back(least == end ? nan : series[std::max(least, greatest)]);
    }
    return pairs;
}

void check_same(const std::vector<double>& actual, const std::vector<double>& expected) {
    REQUIRE(actual.size() == expected.size());
    std::size_t n_others = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        if (std::isnan(expected[i]) ? !std::isnan(actual[i]) : actual[i] != expected[i]) {
            ++n_others;
        }
    }
    CHECK(n_others == 0);
}

template <typename T>
void check_kind(Kind kind) {
    std::mt19937_64 random(5);
    std::vector<T> values(3000);
    for (T& value : values) {
        value = static_cast<T>(kind == Kind::Bool ? random() % 2 : random());
    }
    for (const std::size_t bucket : {1u, 2u, 7u, 8u, 64u, 255u, 256u, 257u, 1000u, 4000u}) {
        for (const std::size_t every : {1u, 3u}) {
            check_same(found(values, kind, bucket, every), expected(values, bucket, every));
        }
    }
}

TEST_CASE("extremes are those of their definition, whatever the kind of numbers") {
    check_kind<std::uint8_t>(Kind::Bool);
    check_kind<std::int8_t>(Kind::Int8);
    check_kind<std::int16_t>(Kind::Int16);
    check_kind<std::int32_t>(Kind::Int32);
    check_kind<std::int64_t>(Kind::Int64);
    check_kind<std::uint8_t>(Kind::UInt8);
    check_kind<std::uint16_t>(Kind::UInt16);
    check_kind<std::uint32_t>(Kind::UInt32);
    check_kind<std::uint64_t>(Kind::UInt64);
    check_kind<float>(Kind::Float32);
    check_kind<double>(Kind::Float64);
}

TEST_CASE("values that are not finite do not count") {
    std::mt19937_64 random(5);
    std::normal_distribution<double> normal;
    const double others[] = {nan, -nan, infinity, -infinity};
    for (const double share : {0.1, 0.9, 1.0}) {
        std::vector<double> values(2000);
        for (double& value : values) {
            const bool is_finite = std::generate_canonical<double, 53>(random) >= share;
            value = is_finite ? normal(random) : others[random() % 4];
        }
        for (const std::size_t bucket : {1u, 5u, 16u, 300u}) {
            check_same(found(values, Kind::Float64, bucket), expected(values, bucket));
        }
    }
    const double largest = std::numeric_limits<double>::max();
    check_same(found<double>({largest, infinity, -largest}, Kind::Float64, 3), {largest, -largest});
}

TEST_CASE("extremes of extremes are those of larger buckets") {
    std::mt19937_64 random(5);
    std::vector<double> values(5000);
    for (double& value : values) value = static_cast<double>(random() % 50);  // many are equal
    values[40] = nan;
    const auto of_16 = found(values, Kind::Float64, 16);
    check_same(found(of_16, Kind::Float64, 2 * 20), found(values, Kind::Float64, 16 * 20));
}

TEST_CASE("no values, values from the last to the first, and what is refused") {
    CHECK(found<double>({}, Kind::Float64, 4).empty());
    const std::vector<double> values{1, 2, 3};
    std::vector<double> into(2);
    const auto* const last = reinterpret_cast<const std::byte*>(&values[2]);
    extremes({last, Kind::Float64, 3, -8}, std::numeric_limits<std::size_t>::max(), into);
    check_same(into, {3, 1});
    extremes({last, Kind::Float64, 3, 0}, 3, into);
    check_same(into, {3, 3});
    CHECK_THROWS_AS(extremes({last, Kind::Float64, 3, 8}, 0, into), ValueError);
    CHECK_THROWS_AS(extremes({last, Kind::Float64, 3, 8}, 2, into), ValueError);
    CHECK_THROWS_AS(extremes({last, Kind::Complex64, 1, 8}, 1, into), ValueError);
    CHECK_THROWS_AS(extremes({last, Kind::Float16, 1, 8}, 1, into), ValueError);
}

}  // namespace
}  // namespace drawstore
