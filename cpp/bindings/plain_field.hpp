// The common case of a value: one that needs no conversion.
#pragma once

#include <cstddef>
#include <cstdint>

#include "column.hpp"

namespace drawstore::bindings {

// A hint to the processor that this address is about to be read; any address will do.
inline void prefetch(const void* address) noexcept {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#else
    static_cast<void>(address);
#endif
}

// What it takes to know and to store such a value, in one cache line: with hundreds of variables
// the look-ups, not the copying, are the cost of a draw. It borrows from the column that it is of.
class alignas(64) PlainField {
  public:
    PlainField() = default;  // of a ragged variable: no value is plain
    explicit PlainField(const Column& column);

    // Asks for the memory of a value, and, once that has come, for that of its elements.
    static void prefetch_value(PyObject* value) noexcept {
        prefetch(value);
        prefetch(reinterpret_cast<const std::byte*>(value) + 64);  // the flags of an array
    }
    void prefetch_data(PyObject* value) const noexcept {
        if (!PyArray_CheckExact(value)) return;
        auto* array = reinterpret_cast<PyArrayObject*>(value);
        prefetch(PyArray_DATA(array));
        prefetch(static_cast<const std::byte*>(PyArray_DATA(array)) + bytes_ - 1);
        prefetch(PyArray_DIMS(array));
    }

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

    PyArray_Descr* dtype_ = nullptr;
    PyTypeObject* number_type_ = nullptr;
    std::size_t bytes_ = 0;
    npy_intp extents_[max_ndim] = {};
    std::int16_t ndim_ = -1;  // -1: more dimensions than this case knows
    Kind kind_ = Kind::Opaque;
};

static_assert(sizeof(PlainField) == 64);

}  // namespace drawstore::bindings
