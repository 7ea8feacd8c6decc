// The one place through which the bindings include pybind11 and NumPy.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <exception>

namespace py = pybind11;

namespace drawstore::bindings {

// One function a subject, each in the file bind_<subject>.cpp.
void bind_autocorr(py::module_& m);
void bind_chain_buffer(py::module_& m);
void bind_checksum(py::module_& m);
void bind_step_recorder(py::module_& m);

// Maps the exceptions of drawstore/error.hpp to Python's. Called once, by the module.
void register_errors();

// Sets the Python error that stands for a C++ one: the one map of errors. GIL held.
void set_python_error(std::exception_ptr error);

}  // namespace drawstore::bindings
