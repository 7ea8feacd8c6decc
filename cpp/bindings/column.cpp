#include "column.hpp"

#include <cstring>
#include <utility>

#include "drawstore/error.hpp"
#include "drawstore/value.hpp"

namespace drawstore::bindings {
namespace {

PyArray_Descr* descr(const py::dtype& dtype) {
    return reinterpret_cast<PyArray_Descr*>(dtype.ptr());
}

PyArrayObject* as_array(PyObject* object) { return reinterpret_cast<PyArrayObject*>(object); }

std::string shape_text(const py::array& array) {
    return py::str(array.attr("shape")).cast<std::string>();
}

// What a NumPy array over our memory holds on to.
py::capsule share(std::shared_ptr<const void> owner) {
    return py::capsule(new std::shared_ptr<const void>(std::move(owner)),
                       [](void* held) { delete static_cast<std::shared_ptr<const void>*>(held); });
}

}  // namespace

DType describe_dtype(const py::dtype& dtype) {
    const std::string name = py::str(static_cast<const py::object&>(dtype));
    if (PyDataType_FLAGCHK(descr(dtype), NPY_ITEM_REFCOUNT) ||
        PyDataType_FLAGCHK(descr(dtype), NPY_ITEM_IS_POINTER)) {
        throw TypeError("dtype " + name +
                        " holds Python objects; only values of a fixed size are stored");
    }
    if (dtype.attr("isnative").cast<bool>()) {
        if (const auto named = dtype_named(name)) return *named;
    }
    return {Kind::Opaque, static_cast<std::size_t>(dtype.itemsize()), name};
}

py::dtype numpy_dtype(const DType& dtype) {
    if (dtype.kind != Kind::Opaque) return py::dtype(dtype.descriptor);
    return py::module_::import("drawstore.dtypes").attr("parse_dtype")(dtype.descriptor);
}

Column::Column(std::string name, const py::dtype& dtype, const std::vector<py::ssize_t>& shape)
    : dtype_(dtype) {
    const py::object subdtype = dtype.attr("subdtype");
    std::vector<py::ssize_t> extents = shape;
    if (!subdtype.is_none()) {  // an array type: its shape is part of the variable's
        const auto inner = subdtype.cast<std::pair<py::dtype, std::vector<py::ssize_t>>>();
        dtype_ = inner.first;
        extents.insert(extents.end(), inner.second.begin(), inner.second.end());
    }
    variable_.name = std::move(name);
    try {
        variable_.dtype = describe_dtype(dtype_);
    } catch (const TypeError& error) {
        throw TypeError("variable '" + variable_.name + "': " + error.what());
    }
    for (const py::ssize_t extent : extents) {
        if (extent < 0) throw ValueError("the shape of '" + variable_.name + "' is negative");
        variable_.shape.push_back(extent);
        shape_.push_back(extent);
    }
    if (shape_.size() + 1 > NPY_MAXDIMS_LEGACY_ITERS) {
        throw ValueError("'" + variable_.name + "' has more dimensions than NumPy allows");
    }
    row_bytes_ = variable_.row_bytes();
}

Column::Column(const Variable& variable)
    : Column(variable.name, numpy_dtype(variable.dtype),
             std::vector<py::ssize_t>(variable.shape.begin(), variable.shape.end())) {
    if (variable_.dtype != variable.dtype) {
        throw DataError("the dtype of " + variable.describe() + " is " +
                        std::to_string(variable.dtype.itemsize) +
                        " bytes where it was stored, and " +
                        std::to_string(variable_.dtype.itemsize) + " here");
    }
}

bool Column::matches(PyObject* value, npy_intp n_rows) const noexcept {
    if (!PyArray_Check(value)) return false;
    PyArrayObject* array = as_array(value);
    if (!PyArray_IS_C_CONTIGUOUS(array)) return false;
    const int leading = n_rows < 0 ? 0 : 1;
    if (PyArray_NDIM(array) != static_cast<int>(shape_.size()) + leading) return false;
    const npy_intp* extents = PyArray_DIMS(array);
    if (leading && extents[0] != n_rows) return false;
    for (std::size_t i = 0; i < shape_.size(); ++i) {
        if (extents[leading + i] != shape_[i]) return false;
    }
    PyArray_Descr* given = PyArray_DESCR(array);
    return given == descr(dtype_) || PyArray_EquivTypes(given, descr(dtype_));
}

py::array Column::checked(const py::handle& value, py::ssize_t n_rows) const {
    const auto array =
        py::reinterpret_steal<py::array>(PyArray_FromAny(value.ptr(), nullptr, 0, 0, 0, nullptr));
    if (!array) throw py::error_already_set();
    const int leading = n_rows < 0 ? 0 : 1;
    bool fits = array.ndim() == static_cast<py::ssize_t>(shape_.size()) + leading &&
                (!leading || array.shape(0) == n_rows);
    for (std::size_t i = 0; fits && i < shape_.size(); ++i) {
        fits = array.shape(static_cast<py::ssize_t>(i) + leading) == shape_[i];
    }
    if (!fits) {
        const std::string rows = leading ? std::to_string(n_rows) + " rows of " : "";
        throw ValueError("expected " + rows + variable_.describe() + ", got shape " +
                         shape_text(array));
    }
    PyArray_Descr* given = PyArray_DESCR(as_array(array.ptr()));
    const bool flexible =
        PyDataType_ISFLEXIBLE(descr(dtype_)) && given->type == descr(dtype_)->type;
    if (!PyArray_CanCastTypeTo(given, descr(dtype_), NPY_SAME_KIND_CASTING) ||
        (flexible && PyDataType_ELSIZE(given) > dtype_.itemsize())) {
        throw TypeError("cannot store dtype " + py::str(array.dtype()).cast<std::string>() +
                        ", shape " + shape_text(array) + " in " + variable_.describe() +
                        " without loss; convert it first");
    }
    return array;
}

py::array Column::array_over(std::byte* data, py::ssize_t n_rows, const py::handle& owner,
                             std::size_t stride) const {
    std::vector<npy_intp> extents;
    if (n_rows >= 0) extents.push_back(n_rows);
    extents.insert(extents.end(), shape_.begin(), shape_.end());
    std::vector<npy_intp> strides;
    if (stride != 0 && n_rows >= 0) {
        strides.resize(extents.size());
        npy_intp distance = static_cast<npy_intp>(variable_.dtype.itemsize);
        for (std::size_t i = extents.size(); i-- > 1;) {
            strides[i] = distance;
            distance *= extents[i];
        }
        strides[0] = static_cast<npy_intp>(stride);
    }
    Py_INCREF(dtype_.ptr());
    auto array = py::reinterpret_steal<py::array>(
        PyArray_NewFromDescr(&PyArray_Type, descr(dtype_), static_cast<int>(extents.size()),
                             extents.data(), strides.empty() ? nullptr : strides.data(), data,
                             strides.empty() ? NPY_ARRAY_CARRAY : NPY_ARRAY_BEHAVED, nullptr));
    if (!array) throw py::error_already_set();
    if (owner && PyArray_SetBaseObject(as_array(array.ptr()), owner.inc_ref().ptr()) < 0) {
        throw py::error_already_set();
    }
    return array;
}

void Column::store(PyObject* value, std::byte* target) const {
    if (matches(value)) {
        std::memcpy(target, PyArray_DATA(as_array(value)), row_bytes_);
        return;
    }
    const py::array source = checked(value, -1);
    const py::array slot = array_over(target, -1, {});
    if (PyArray_CopyInto(as_array(slot.ptr()), as_array(source.ptr())) < 0) {
        throw py::error_already_set();
    }
}

py::array Column::convert(const py::handle& values, py::ssize_t n_rows) const {
    if (matches(values.ptr(), n_rows)) return py::reinterpret_borrow<py::array>(values);
    const py::array source = checked(values, n_rows);
    Py_INCREF(dtype_.ptr());
    auto converted = py::reinterpret_steal<py::array>(
        PyArray_FromArray(as_array(source.ptr()), descr(dtype_),
                          NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST | NPY_ARRAY_ENSUREARRAY));
    if (!converted) throw py::error_already_set();
    return converted;
}

py::array Column::wrap(std::shared_ptr<const void> owner, std::byte* data, py::ssize_t n_rows,
                       bool writeable, std::size_t stride) const {
    py::array array =
        array_over(data, n_rows, owner ? share(std::move(owner)) : py::capsule(), stride);
    if (!writeable) PyArray_CLEARFLAGS(as_array(array.ptr()), NPY_ARRAY_WRITEABLE);
    return array;
}

}  // namespace drawstore::bindings
