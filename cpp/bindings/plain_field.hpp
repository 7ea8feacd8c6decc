// The common case of a value: one that needs no conversion.
#pragma once

#include <cstddef>
#include <cstdint>

#include "column.hpp"

namespace drawstore::bindings {

// What it takes to know and to store such a value, in one cache line: with hundreds of variables
// the look-ups, not the copying, are the cost of a draw. It borrows from the column that it is of.
class alignas(64) PlainField {
  public:
    explicit PlainField(const Column& column);

    // Writes the value to `target` where it is an array of exactly this dtype and shape,
    // contiguous, or a number of this type. False for everything else. Runs no Python code.
    bool store(PyObject* value, std::byte* target) const noexcept {
        if (PyArray_CheckExact(value)) return store_array(value, target);
        return ndim_ == 0 && store_number(value, target);
    }

  private:
    static constexpr int max_ndim = 4;

    bool store_array(PyObject* value, std::byte* target) const noexcept;
    bool store_number(PyObject* value, std::byte* target) const noexcept;

    PyArray_Descr* dtype_;
    PyTypeObject* number_type_;
    std::size_t bytes_;
    npy_intp extents_[max_ndim];
    std::int16_t ndim_;  // -1: more dimensions than this case knows
    Kind kind_;
};

static_assert(sizeof(PlainField) == 64);

}  // namespace drawstore::bindings
