#include "drawstore/error.hpp"
#include "held_draws.hpp"

namespace drawstore::bindings {
namespace {

py::array array_of(const std::vector<double>& values) {
    return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::array integrated_time_of(const py::array& draws, double c, py::ssize_t threads) {
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
