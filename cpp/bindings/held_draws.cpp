#include "held_draws.hpp"

#include "drawstore/error.hpp"
#include "numpy_api.hpp"

namespace drawstore::bindings {
namespace {

Real real_of(const py::array& draws) {
    switch (PyArray_TYPE(reinterpret_cast<PyArrayObject*>(draws.ptr()))) {
        case NPY_FLOAT:
            return Real::float32;
        case NPY_LONGDOUBLE:
            return Real::long_double;
        default:
            return Real::float64;
    }
}

py::array readable(const py::array& draws) {
    auto* const array = reinterpret_cast<PyArrayObject*>(draws.ptr());
    const int type = PyArray_TYPE(array);
    if (!PyTypeNum_ISINTEGER(type) && !PyTypeNum_ISFLOAT(type) && !PyTypeNum_ISBOOL(type)) {
        throw TypeError("an autocorrelation needs real numbers, not draws of dtype " +
                        py::str(draws.dtype()).cast<std::string>());
    }
    const bool kept = type == NPY_FLOAT || type == NPY_DOUBLE || type == NPY_LONGDOUBLE;
    PyArray_Descr* const descr = PyArray_DescrFromType(kept ? type : NPY_DOUBLE);
    return py::reinterpret_steal<py::array>(
        PyArray_FromArray(array, descr, NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED));
}

}  // namespace

HeldDraws hold(const py::array& given) {
    if (given.ndim() != 3) throw ValueError("draws have three axes: steps, walkers, parameters");
    HeldDraws held{readable(given), {}};
    if (!held.draws) throw py::error_already_set();
    const py::array& draws = held.draws;
    held.view = {static_cast<const std::byte*>(draws.data()),
                 real_of(draws),
                 static_cast<std::size_t>(draws.shape(0)),
                 static_cast<std::size_t>(draws.shape(1)),
                 static_cast<std::size_t>(draws.shape(2)),
                 draws.strides(0),
                 draws.strides(1),
                 draws.strides(2)};
    return held;
}

}  // namespace drawstore::bindings
