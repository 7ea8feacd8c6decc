// What a chain holds: named variables, each with an exact dtype and the shape of one draw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace drawstore {

// The numeric types that the library knows by name. Everything else of a fixed size (long double,
// structured values, fixed strings, dates, foreign byte orders) is Opaque: bytes that are kept as
// they are, beside the descriptor that tells a reader what they mean.
enum class Kind : std::uint8_t {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float16,
    Float32,
    Float64,
    Complex64,
    Complex128,
    String,  // text of any length, UTF-8
    Opaque,
};

struct DType {
    Kind kind = Kind::Float64;
    std::size_t itemsize = sizeof(double);
    std::string descriptor = "float64";  // NumPy's name, or its description of an opaque type

    bool operator==(const DType&) const = default;
};

struct Variable {
    std::string name;
    DType dtype{};
    std::vector<std::int64_t> shape =
        {};  // of one draw; empty for a scalar; -1: differs between draws
    std::vector<std::string> dims = {};  // names of the dimensions; empty where they have none
    bool is_deterministic = false;
    bool undefined_ndim = false;  // also the number of dimensions differs; `shape` says nothing

    // Whether draws differ in their number of bytes: text, and shapes that are not fixed.
    bool is_ragged() const noexcept;

    // Bytes of one draw of a variable that is not ragged. Throws ValueError where they do not fit
    // into 63 bits.
    std::size_t row_bytes() const;

    // "chain (float64, shape (32, 5))", as messages name a variable.
    std::string describe() const;

    bool operator==(const Variable&) const = default;
};

}  // namespace drawstore
