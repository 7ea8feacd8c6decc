// The one place through which the bindings include pybind11 and NumPy.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

namespace drawstore::bindings {

// One function a subject, each in the file bind_<subject>.cpp.
void bind_autocorr(py::module_& m);

// Maps the exceptions of drawstore/error.hpp to Python's. Called once, by the module.
void register_errors();

}  // namespace drawstore::bindings
