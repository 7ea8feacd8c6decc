// Values on their way into a chain, and draws that were read from one.
#pragma once

#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drawstore/error.hpp"
#include "drawstore/rows.hpp"
#include "drawstore/variable.hpp"

namespace drawstore {

// The Kind of a C++ type.
template <typename T>
inline constexpr Kind kind_of = Kind::Opaque;
template <>
inline constexpr Kind kind_of<bool> = Kind::Bool;
template <>
inline constexpr Kind kind_of<std::int8_t> = Kind::Int8;
template <>
inline constexpr Kind kind_of<std::int16_t> = Kind::Int16;
template <>
inline constexpr Kind kind_of<std::int32_t> = Kind::Int32;
template <>
inline constexpr Kind kind_of<std::int64_t> = Kind::Int64;
template <>
inline constexpr Kind kind_of<std::uint8_t> = Kind::UInt8;
template <>
inline constexpr Kind kind_of<std::uint16_t> = Kind::UInt16;
template <>
inline constexpr Kind kind_of<std::uint32_t> = Kind::UInt32;
template <>
inline constexpr Kind kind_of<std::uint64_t> = Kind::UInt64;
template <>
inline constexpr Kind kind_of<float> = Kind::Float32;
template <>
inline constexpr Kind kind_of<double> = Kind::Float64;
template <>
inline constexpr Kind kind_of<std::complex<float>> = Kind::Complex64;
template <>
inline constexpr Kind kind_of<std::complex<double>> = Kind::Complex128;

template <typename T>
concept Number = kind_of<T> != Kind::Opaque;

// The dtype of a C++ type, by NumPy's name; "str" for text.
DType dtype_of(Kind kind);
template <Number T>
DType dtype_of() {
    return dtype_of(kind_of<T>);
}
std::optional<DType> dtype_named(std::string_view name);
inline DType text_dtype() { return dtype_of(Kind::String); }

// A number, an array of numbers in C order, or text: a view, which is read during the call that it
// is given to. The number of elements tells the one dimension of a shape that is not fixed; where
// there are more, `shape` does.
class Value {
  public:
    template <Number T>
    Value(const T& number)  // NOLINT: values are given as they are
        : kind(kind_of<T>), data(std::as_bytes(std::span(&number, 1))) {}
    template <Number T>
    Value(std::span<const T> numbers, std::vector<std::int64_t> extents = {})
        : kind(kind_of<T>), data(std::as_bytes(numbers)), shape(std::move(extents)) {}
    template <Number T>
        requires(!std::same_as<T, bool>)
    Value(const std::vector<T>& numbers) : Value(std::span<const T>(numbers)) {}
    template <Number T, std::size_t n>
    Value(const T (&numbers)[n]) : Value(std::span<const T>(numbers)) {}
    Value(std::string_view text) : kind(Kind::String), texts{text} {}
    Value(const std::string& text) : Value(std::string_view(text)) {}
    Value(const char* text) : Value(std::string_view(text)) {}
    Value(std::vector<std::string_view> list, std::vector<std::int64_t> extents = {})
        : kind(Kind::String), texts(std::move(list)), shape(std::move(extents)) {}

    Kind kind;
    std::span<const std::byte> data;      // of numbers
    std::vector<std::string_view> texts;  // of text
    std::vector<std::int64_t> shape;
};

using NamedValue = std::pair<std::string_view, Value>;

// What append() and extend() take: {{"x", x}, {"y", y}}.
class NamedValues {
  public:
    NamedValues() = default;
    NamedValues(std::initializer_list<NamedValue> values)
        : values_(values.begin(), values.size()) {}
    NamedValues(const std::vector<NamedValue>& values) : values_(values) {}

    auto begin() const noexcept { return values_.begin(); }
    auto end() const noexcept { return values_.end(); }
    std::size_t size() const noexcept { return values_.size(); }

  private:
    std::span<const NamedValue> values_;
};

// Draws of one variable, or values of one stat. They keep the memory that they show.
class Draws {
  public:
    Draws(Variable variable, Rows::Span span, Rows::Items items, std::vector<bool> missing);

    const Variable& variable() const noexcept { return variable_; }
    std::uint64_t size() const noexcept { return n_rows_; }

    // Whether the i-th of the draws lacks this stat; its value is then NaN, zero or empty.
    bool is_missing(std::uint64_t i) const { return !missing_.empty() && missing_.at(i); }

    // The i-th of the draws, flat, in C order. Throws TypeError where the variable has another
    // type.
    template <Number T>
    std::span<const T> at(std::uint64_t i) const {
        const std::span<const std::byte> bytes = bytes_at(i, kind_of<T>);
        return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
    }
    std::vector<std::string_view> texts_at(std::uint64_t i) const;
    std::vector<std::int64_t> shape_at(std::uint64_t i) const;

    // What they are made of: rows where the variable is rigid, items where it is ragged, and which
    // are missing, where any is.
    const Rows::Span& span() const noexcept { return span_; }
    const Rows::Items& items() const noexcept { return items_; }
    const std::vector<bool>& missing() const noexcept { return missing_; }

    // All draws of a variable of fixed shape, flat. Throws StateError where they do not lie one
    // behind the other, because of a slice with a step.
    template <Number T>
    std::span<const T> all() const {
        const std::span<const std::byte> bytes = all_bytes(kind_of<T>);
        return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
    }

  private:
    std::span<const std::byte> bytes_at(std::uint64_t i, Kind kind) const;
    std::span<const std::byte> all_bytes(Kind kind) const;

    Variable variable_;
    Rows::Span span_;
    Rows::Items items_;
    std::vector<bool> missing_;
    std::uint64_t n_rows_;
};

}  // namespace drawstore
