#include "drawstore/value.hpp"

#include <array>
#include <string>

#include "drawstore/ragged.hpp"

namespace drawstore {
namespace {

struct Named {
    Kind kind;
    std::size_t itemsize;
    const char* name;
};

constexpr std::array names{
    Named{Kind::Bool, 1, "bool"},           Named{Kind::Int8, 1, "int8"},
    Named{Kind::Int16, 2, "int16"},         Named{Kind::Int32, 4, "int32"},
    Named{Kind::Int64, 8, "int64"},         Named{Kind::UInt8, 1, "uint8"},
    Named{Kind::UInt16, 2, "uint16"},       Named{Kind::UInt32, 4, "uint32"},
    Named{Kind::UInt64, 8, "uint64"},       Named{Kind::Float16, 2, "float16"},
    Named{Kind::Float32, 4, "float32"},     Named{Kind::Float64, 8, "float64"},
    Named{Kind::Complex64, 8, "complex64"}, Named{Kind::Complex128, 16, "complex128"},
    Named{Kind::String, 0, "str"},
};

}  // namespace

DType dtype_of(Kind kind) {
    for (const Named& named : names) {
        if (named.kind == kind) return {kind, named.itemsize, named.name};
    }
    throw ValueError("an opaque dtype has no name of its own");
}

std::optional<DType> dtype_named(std::string_view name) {
    for (const Named& named : names) {
        if (named.name == name) return dtype_of(named.kind);
    }
    return std::nullopt;
}

Draws::Draws(Variable variable, Rows::Span span, Rows::Items items, std::vector<bool> missing)
    : variable_(std::move(variable)),
      span_(std::move(span)),
      items_(std::move(items)),
      missing_(std::move(missing)),
      n_rows_(variable_.is_ragged() ? items_.items.size() : span_.n_rows) {}

std::span<const std::byte> Draws::bytes_at(std::uint64_t i, Kind kind) const {
    if (kind != variable_.dtype.kind) {
        throw TypeError(variable_.describe() + " was asked for as " + dtype_of(kind).descriptor);
    }
    if (i >= n_rows_) {
        throw ValueError("there are " + std::to_string(n_rows_) + " draws, and not number " +
                         std::to_string(i));
    }
    if (variable_.is_ragged()) return decode(variable_, items_.items[i]).data;
    return {span_.data + i * span_.stride, variable_.row_bytes()};
}

std::span<const std::byte> Draws::all_bytes(Kind kind) const {
    if (n_rows_ == 0) return {};
    const std::span<const std::byte> first = bytes_at(0, kind);
    if (variable_.is_ragged() || (span_.stride != first.size() && n_rows_ > 1)) {
        throw StateError("draws of " + variable_.describe() + " do not lie one behind the other");
    }
    return {first.data(), first.size() * static_cast<std::size_t>(n_rows_)};
}

std::vector<std::string_view> Draws::texts_at(std::uint64_t i) const {
    if (variable_.dtype.kind != Kind::String) {
        throw TypeError(variable_.describe() + " was asked for as text");
    }
    return decode(variable_, items_.items.at(i)).texts;
}

std::vector<std::int64_t> Draws::shape_at(std::uint64_t i) const {
    return variable_.is_ragged() ? decode(variable_, items_.items.at(i)).shape : variable_.shape;
}

}  // namespace drawstore
