// NumPy's C interface, for the few places where pybind11's own is too slow or too small.
// The module imports it once; every other file only uses it.
#pragma once

#include "pybind.hpp"

#define NPY_NO_DEPRECATED_API NPY_1_25_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL drawstore_numpy_api
#ifndef DRAWSTORE_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
