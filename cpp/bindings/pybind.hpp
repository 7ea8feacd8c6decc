// The one place through which the bindings include pybind11 and NumPy.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <exception>
#include <span>

namespace py = pybind11;

namespace drawstore::bindings {

// One function a subject, each in the file bind_<subject>.cpp.
void bind_autocorr(py::module_& m);
void bind_chain(py::module_& m);
void bind_chain_buffer(py::module_& m);
void bind_checksum(py::module_& m);
void bind_clickhouse(py::module_& m);
void bind_extremes(py::module_& m);
void bind_file_io(py::module_& m);
void bind_holding(py::module_& m);
void bind_journal(py::module_& m);
void bind_lag_sums(py::module_& m);
void bind_lock(py::module_& m);
void bind_run(py::module_& m);
void bind_stan_csv(py::module_& m);
void bind_step_recorder(py::module_& m);

// For py::class_: Type.__new__(Type) constructs the object as Type() does, and so needs the same
// arguments. pybind11 would hand out an object with nothing in it, which crashes when it is used.
// Only for final classes; pybind11 ignores the second call of __init__ that follows.
inline const py::custom_type_setup constructed_by_new([](PyHeapTypeObject* heap_type) {
    heap_type->ht_type.tp_new = [](PyTypeObject* type, PyObject* args, PyObject* kwargs) {
        PyObject* self = type->tp_base->tp_new(type, args, kwargs);
        if (self && type->tp_init(self, args, kwargs) < 0) Py_CLEAR(self);
        return self;
    };
});

// For py::class_ without a constructor: Type.__new__(Type) is an error, too.
inline const py::custom_type_setup never_constructed([](PyHeapTypeObject* heap_type) {
    heap_type->ht_type.tp_new = [](PyTypeObject* type, PyObject*, PyObject*) -> PyObject* {
        PyErr_Format(PyExc_TypeError, "a %s is not made by calling the class", type->tp_name);
        return nullptr;
    };
});

// For py::class_: a plain type, as the stubs say.
inline py::metaclass plain_metaclass() {
    return py::metaclass(reinterpret_cast<PyObject*>(&PyType_Type));
}

// For a property "initialized", which emcee asks for first of what it is given as a backend: throws
// an AttributeError that says which classes are backends.
py::object not_a_backend(const py::object& self);

// The bytes behind a buffer, which must outlive the view. Throws ValueError for one with gaps.
std::span<const std::byte> bytes_of(const py::buffer_info& info);

// Maps the exceptions of drawstore/error.hpp to Python's. Called once, by the module.
void register_errors();

// Sets the Python error that stands for a C++ one: the one map of errors. GIL held.
void set_python_error(std::exception_ptr error);

}  // namespace drawstore::bindings
