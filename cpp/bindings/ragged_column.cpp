#include "ragged_column.hpp"

#include <algorithm>
#include <cstring>

#include "column.hpp"
#include "drawstore/error.hpp"

namespace drawstore::bindings {
namespace {

PyArrayObject* raw(const py::array& array) { return reinterpret_cast<PyArrayObject*>(array.ptr()); }

py::array new_array(const py::dtype& dtype, const std::vector<std::int64_t>& shape) {
    return py::array(dtype, std::vector<py::ssize_t>(shape.begin(), shape.end()));
}

py::array new_objects(const std::vector<std::int64_t>& shape) {
    return new_array(py::dtype("object"), shape);
}

// Puts a new reference into the i-th place of an object array.
void put(const py::array& objects, std::size_t i, py::object value) {
    auto* place = static_cast<PyObject**>(PyArray_DATA(raw(objects))) + i;
    Py_XSETREF(*place, value.release().ptr());
}

py::array read_only(py::array array) {
    PyArray_CLEARFLAGS(raw(array), NPY_ARRAY_WRITEABLE);
    return array;
}

py::str text_of(std::string_view text) {
    PyObject* decoded =
        PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
    if (!decoded) throw py::error_already_set();
    return py::reinterpret_steal<py::str>(decoded);
}

std::string_view utf8(const Variable& variable, PyObject* text) {
    if (!PyUnicode_Check(text)) {
        throw TypeError("expected text for " + variable.describe() + ", got " +
                        py::repr(text).cast<std::string>().substr(0, 80));
    }
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text, &size);
    if (!data) throw py::error_already_set();
    return {data, static_cast<std::size_t>(size)};
}

std::vector<std::int64_t> shape_of(const py::array& array) {
    return std::vector<std::int64_t>(array.shape(), array.shape() + array.ndim());
}

py::array from_any(const py::handle& value, PyArray_Descr* dtype, int flags) {
    Py_XINCREF(dtype);
    auto array =
        py::reinterpret_steal<py::array>(PyArray_FromAny(value.ptr(), dtype, 0, 0, flags, nullptr));
    if (!array) throw py::error_already_set();
    return array;
}

}  // namespace

RaggedColumn::RaggedColumn(const Variable& variable) : variable_(variable) {
    if (!is_text()) dtype_ = numpy_dtype(variable.dtype);
}

bool RaggedColumn::has_fixed_shape() const noexcept {
    const auto is_dynamic = [](std::int64_t extent) { return extent < 0; };
    return !variable_.undefined_ndim &&
           std::none_of(variable_.shape.begin(), variable_.shape.end(), is_dynamic);
}

RaggedColumn::Taken RaggedColumn::take(const py::handle& value) const {
    Taken taken;
    if (!is_text()) {
        const py::array given = from_any(value, nullptr, 0);
        auto* wanted = reinterpret_cast<PyArray_Descr*>(dtype_->ptr());
        if (!PyArray_CanCastTypeTo(PyArray_DESCR(raw(given)), wanted, NPY_SAME_KIND_CASTING)) {
            throw TypeError("cannot store dtype " + py::str(given.dtype()).cast<std::string>() +
                            ", shape " + py::str(given.attr("shape")).cast<std::string>() + " in " +
                            variable_.describe() + " without loss; convert it first");
        }
        const py::array array = from_any(given, wanted, NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST);
        taken.value.shape = shape_of(array);
        taken.value.data = {static_cast<const std::byte*>(PyArray_DATA(raw(array))),
                            static_cast<std::size_t>(array.nbytes())};
        taken.held = array;
        return taken;
    }
    if (PyUnicode_Check(value.ptr())) {
        taken.held = py::reinterpret_borrow<py::object>(value);
        taken.value.texts = {utf8(variable_, value.ptr())};
        return taken;
    }
    const py::dtype object_dtype("object");
    const py::array texts = from_any(value, reinterpret_cast<PyArray_Descr*>(object_dtype.ptr()),
                                     NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST);
    taken.value.shape = shape_of(texts);
    auto* const* elements = static_cast<PyObject* const*>(PyArray_DATA(raw(texts)));
    for (py::ssize_t i = 0; i < texts.size(); ++i) {
        taken.value.texts.push_back(utf8(variable_, elements[i]));
    }
    taken.held = texts;
    return taken;
}

py::array RaggedColumn::array_of(const RaggedValue& value) const {
    if (!is_text()) {
        const py::array array = new_array(*dtype_, value.shape);
        if (!value.data.empty()) {
            std::memcpy(PyArray_DATA(raw(array)), value.data.data(), value.data.size());
        }
        return array;
    }
    const py::array array = new_objects(value.shape);
    for (std::size_t i = 0; i < value.texts.size(); ++i) put(array, i, text_of(value.texts[i]));
    return array;
}

py::array RaggedColumn::give_one(std::span<const std::byte> item) const {
    if (item.empty() && has_fixed_shape()) {  // the stat of a row that lacks it
        RaggedValue nothing{variable_.shape, {}, {}};
        std::int64_t count = 1;
        for (const std::int64_t extent : variable_.shape) count *= extent;
        nothing.texts.resize(static_cast<std::size_t>(count));
        return read_only(array_of(nothing));
    }
    return read_only(array_of(decode(variable_, item)));
}

py::array RaggedColumn::give(const std::vector<std::span<const std::byte>>& items) const {
    std::vector<std::int64_t> shape{static_cast<std::int64_t>(items.size())};
    if (!has_fixed_shape()) {
        const py::array rows = new_objects(shape);
        for (std::size_t i = 0; i < items.size(); ++i) put(rows, i, give_one(items[i]));
        return read_only(rows);
    }
    std::size_t count = 1;
    for (const std::int64_t extent : variable_.shape) count *= static_cast<std::size_t>(extent);
    shape.insert(shape.end(), variable_.shape.begin(), variable_.shape.end());
    const py::array rows = new_objects(shape);
    for (std::size_t i = 0; i < items.size(); ++i) {
        RaggedValue value = decode(variable_, items[i]);
        value.texts.resize(count);
        for (std::size_t k = 0; k < count; ++k) put(rows, i * count + k, text_of(value.texts[k]));
    }
    return read_only(rows);
}

}  // namespace drawstore::bindings
