#include "drawstore/autocorr.hpp"
#include "drawstore/error.hpp"
#include "numpy_api.hpp"

namespace drawstore::bindings {
namespace {

// A view of draws that NumPy holds, and what keeps them alive.
struct HeldDraws {
    py::array draws;
    EnsembleView view;
};

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

// Draws of real numbers that can be read where they are. Only those of other types than float32,
// float64 and long double are copied, and those that are not aligned or not in native order.
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

// `draws` has the axes steps, walkers and parameters.
HeldDraws hold(const py::array& given) {
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

py::array array_of(const std::vector<double>& values) {
    return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::array integrated_time_of(const py::array& draws, double c, py::ssize_t threads) {
    if (draws.ndim() != 3) throw ValueError("draws have three axes: steps, walkers, parameters");
    if (threads < 1) throw ValueError("threads must be at least 1");
    const HeldDraws held = hold(draws);
    std::vector<double> tau;
    {
        const py::gil_scoped_release released;
        tau = integrated_time(held.view, c, static_cast<std::size_t>(threads));
    }
    return array_of(tau);
}

py::array function_1d(const py::array& series) {
    if (series.ndim() != 1) throw ValueError("an autocorrelation function belongs to one series");
    const HeldDraws held = hold(series[py::make_tuple(py::ellipsis(), py::none(), py::none())]);
    std::vector<double> function;
    {
        const py::gil_scoped_release released;
        function = autocorrelation_function(held.view);
    }
    return array_of(function);
}

}  // namespace

void bind_autocorr(py::module_& m) {
    m.def("integrated_time", &integrated_time_of, py::arg("draws"), py::arg("c") = 5.0,
          py::kw_only(), py::arg("threads") = 1, R"(
Integrated autocorrelation time of each parameter, in steps.

Parameters
----------
draws : ndarray, shape (n_steps, n_walkers, n_params)
    Real numbers. float32, float64 and long double are read where they are, at any strides.
c : float, default 5
    The sum ends at the first lag that is not below ``c`` times the time so far.
threads : int, default 1
    The most threads to use.

Returns
-------
ndarray of float64, shape (n_params,)
    NaN for a parameter with a constant walker, or with values that are not finite.

Raises
------
ValueError
    For no steps, no threads, and another number of axes.
TypeError
    For draws that are not real numbers.
)");
    m.def("function_1d", &function_1d, py::arg("series"), R"(
Autocorrelation function of one series, 1 at lag 0.

Parameters
----------
series : ndarray, shape (n_steps,)
    Real numbers.

Returns
-------
ndarray of float64, shape (n_steps,)
    NaN for a constant series, and one with values that are not finite.

Raises
------
ValueError
    For no steps, and another number of axes.
TypeError
    For a series of anything but real numbers.
)");
}

}  // namespace drawstore::bindings
