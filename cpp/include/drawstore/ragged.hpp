// One draw of a ragged variable as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "drawstore/variable.hpp"

namespace drawstore {

// A draw whose size is its own: views of its elements, in C order.
struct RaggedValue {
    std::vector<std::int64_t> shape;
    std::span<const std::byte> data;      // of numbers and opaque values
    std::vector<std::string_view> texts;  // of text, UTF-8
};

// The bytes of an item, a multiple of 8: the number of dimensions, where it is not fixed; the
// extents, where any is not; the length of each text; the elements; zeros. All numbers are 64 bits.
// Throws ValueError where the value does not have the variable's shape.
std::size_t encoded_bytes(const Variable& variable, const RaggedValue& value);
void encode(const Variable& variable, const RaggedValue& value, std::byte* target);

// The value that an item holds; it views the item. Throws DataError where it is not one.
RaggedValue decode(const Variable& variable, std::span<const std::byte> item);

// The same into a value that was used before, whose memory is used again.
void decode(const Variable& variable, std::span<const std::byte> item, RaggedValue& value);

}  // namespace drawstore
