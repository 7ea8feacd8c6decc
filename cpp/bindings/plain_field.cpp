#include "plain_field.hpp"

#include <cstring>

namespace drawstore::bindings {
namespace {

// The first n bytes and the last n, which may be some of the same.
template <std::size_t n>
void copy_ends(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
    std::byte ends[2 * n];
    std::memcpy(ends, from, n);
    std::memcpy(ends + n, from + bytes - n, n);
    std::memcpy(to, ends, n);
    std::memcpy(to + bytes - n, ends + n, n);
}

// memcpy, without a call where the value is small.
void copy_value(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
    if (bytes > 64 || bytes < 4) {
        std::memcpy(to, from, bytes);
    } else if (bytes > 32) {
        copy_ends<32>(to, from, bytes);
    } else if (bytes > 16) {
        copy_ends<16>(to, from, bytes);
    } else if (bytes > 8) {
        copy_ends<8>(to, from, bytes);
    } else {
        copy_ends<4>(to, from, bytes);
    }
}

}  // namespace

PlainField::PlainField(const Column& column)
    : dtype_(reinterpret_cast<PyArray_Descr*>(column.dtype().ptr())),
      number_type_(dtype_->typeobj),
      bytes_(column.variable().row_bytes()),
      kind_(column.variable().dtype.kind) {
    const auto& shape = column.variable().shape;
    if (shape.size() > max_ndim) return;
    ndim_ = static_cast<std::int16_t>(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) extents_[i] = static_cast<npy_intp>(shape[i]);
}

bool PlainField::store_array(PyObject* value, std::byte* target) const noexcept {
    auto* array = reinterpret_cast<PyArrayObject*>(value);
    if (PyArray_NDIM(array) != ndim_ || !PyArray_IS_C_CONTIGUOUS(array)) return false;
    const npy_intp* extents = PyArray_DIMS(array);
    for (int i = 0; i < ndim_; ++i) {
        if (extents[i] != extents_[i]) return false;
    }
    if (PyArray_DESCR(array) != dtype_ && !PyArray_EquivTypes(PyArray_DESCR(array), dtype_)) {
        return false;
    }
    copy_value(target, static_cast<const std::byte*>(PyArray_DATA(array)), bytes_);
    return true;
}

bool PlainField::store_number(PyObject* value, std::byte* target) const noexcept {
    if (kind_ == Kind::Float64 && PyFloat_Check(value)) {
        const double number = PyFloat_AS_DOUBLE(value);
        std::memcpy(target, &number, sizeof number);
        return true;
    }
    if (kind_ == Kind::Int64 && PyLong_CheckExact(value)) {
        int overflow = 0;
        const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        std::memcpy(target, &number, sizeof number);
        return overflow == 0;
    }
    if (kind_ == Kind::Bool && PyBool_Check(value)) {
        *target = std::byte{value == Py_True};
        return true;
    }
    if (kind_ == Kind::Opaque || Py_TYPE(value) != number_type_) return false;
    PyArray_ScalarAsCtype(value, target);
    return true;
}

}  // namespace drawstore::bindings
