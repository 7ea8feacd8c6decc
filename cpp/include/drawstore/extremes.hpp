// Extremes of stored draws, from which a trace of any length is drawn.
#pragma once

#include <cstddef>
#include <span>

#include "drawstore/variable.hpp"

namespace drawstore {

// Real numbers where they lie: of one kind, aligned for it, at any stride (in bytes; also negative
// or zero). Not owned.
struct SeriesView {
    const std::byte* data = nullptr;
    Kind kind = Kind::Float64;
    std::size_t size = 0;
    std::ptrdiff_t stride = sizeof(double);
};

// How many buckets of so many values a series has, of which the last may be shorter.
constexpr std::size_t count_buckets(std::size_t size, std::size_t bucket) noexcept {
    return size / bucket + (size % bucket != 0);
}

// The least and the greatest value of each bucket, in the order in which they come, so that a line
// through them looks like one through all: for bucket i they are into[2 * i] and into[2 * i + 1].
// Values that are not finite do not count; where none is, both are NaN. So the extremes of larger
// buckets are those of the extremes: of 2 * n of these for buckets n times as large.
//
// Throws ValueError for buckets of no values, for a kind other than Bool, Float32, Float64 and the
// integers, and where `into` has another size than 2 * count_buckets(series.size, bucket).
void extremes(const SeriesView& series, std::size_t bucket, std::span<double> into);

}  // namespace drawstore
