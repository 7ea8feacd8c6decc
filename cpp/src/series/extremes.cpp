#include "drawstore/extremes.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "drawstore/error.hpp"

namespace drawstore {
namespace {

// Of the values of a bucket so far.
struct Extremes {
    double least = std::numeric_limits<double>::infinity();
    double greatest = -least;
    bool is_least_first = true;

    void add(double value) noexcept {
        if (!(std::abs(value) <= std::numeric_limits<double>::max())) return;
        if (value < least) {
            least = value;
            is_least_first = false;
        }
        if (value > greatest) {
            greatest = value;
            is_least_first = true;
        }
    }

    // Writes the two in their order, and gives the place behind them.
    double* put(double* to) const noexcept {
        const double nan = std::numeric_limits<double>::quiet_NaN();
        const bool has_any = least <= greatest;
        to[is_least_first ? 0 : 1] = has_any ? least : nan;
        to[is_least_first ? 1 : 0] = has_any ? greatest : nan;
        return to + 2;
    }
};

// `at` gives the value with a number.
template <typename At>
void find(std::size_t size, std::size_t bucket, double* to, const At& at) {
    for (std::size_t begin = 0; begin < size;) {
        const std::size_t end = begin + std::min(bucket, size - begin);
        Extremes found;
        for (std::size_t i = begin; i < end; ++i) found.add(at(i));
        to = found.put(to);
        begin = end;
    }
}

template <typename T>
void find(const SeriesView& series, std::size_t bucket, std::span<double> into) {
    if (series.stride == sizeof(T)) {
        const T* const values = reinterpret_cast<const T*>(series.data);
        find(series.size, bucket, into.data(),
             [=](std::size_t i) { return static_cast<double>(values[i]); });
    } else {
        const std::byte* const data = series.data;
        const std::ptrdiff_t stride = series.stride;
        find(series.size, bucket, into.data(), [=](std::size_t i) {
            return static_cast<double>(
                *reinterpret_cast<const T*>(data + static_cast<std::ptrdiff_t>(i) * stride));
        });
    }
}

}  // namespace

void extremes(const SeriesView& series, std::size_t bucket, std::span<double> into) {
    if (bucket == 0) throw ValueError("a bucket has at least one value");
    if (into.size() != 2 * count_buckets(series.size, bucket)) {
        throw ValueError("expected room for two values a bucket");
    }
    switch (series.kind) {
        case Kind::Bool:
        case Kind::UInt8:
            return find<std::uint8_t>(series, bucket, into);
        case Kind::Int8:
            return find<std::int8_t>(series, bucket, into);
        case Kind::Int16:
            return find<std::int16_t>(series, bucket, into);
        case Kind::Int32:
            return find<std::int32_t>(series, bucket, into);
        case Kind::Int64:
            return find<std::int64_t>(series, bucket, into);
        case Kind::UInt16:
            return find<std::uint16_t>(series, bucket, into);
        case Kind::UInt32:
            return find<std::uint32_t>(series, bucket, into);
        case Kind::UInt64:
            return find<std::uint64_t>(series, bucket, into);
        case Kind::Float32:
            return find<float>(series, bucket, into);
        case Kind::Float64:
            return find<double>(series, bucket, into);
        default:
            throw ValueError("extremes are those of real numbers");
    }
}

}  // namespace drawstore
