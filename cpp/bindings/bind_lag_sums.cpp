#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "drawstore/error.hpp"
#include "drawstore/lag_sums.hpp"
#include "held_draws.hpp"

namespace drawstore::bindings {
namespace {

std::size_t count_of(py::ssize_t number, const char* what) {
    if (number < 0) throw ValueError(std::string(what) + " must not be negative");
    return static_cast<std::size_t>(number);
}

// Takes one thread at a time. The lock is never held by one that waits for the interpreter.
class SharedLagSums {
  public:
    SharedLagSums(py::ssize_t n_walkers, py::ssize_t n_params, py::ssize_t n_lags)
        : sums_(count_of(n_walkers, "n_walkers"), count_of(n_params, "n_params"),
                count_of(n_lags, "n_lags")) {}

    std::size_t n_steps() const {
        const std::lock_guard lock(mutex_);
        return sums_.n_steps();
    }
    std::size_t n_lags() const noexcept { return sums_.n_lags(); }

    void append(const py::array& draws, py::ssize_t threads) {
        if (threads < 1) throw ValueError("threads must be at least 1");
        const HeldDraws held = hold(draws);
        const py::gil_scoped_release released;
        const std::lock_guard lock(mutex_);
        if (is_broken_) throw StateError("these sums were left behind by an error");
        is_broken_ = true;
        sums_.append(held.view, static_cast<std::size_t>(threads));
        is_broken_ = false;
    }

    py::object integrated_time(double c) const {
        std::optional<std::vector<double>> tau;
        {
            const py::gil_scoped_release released;
            const std::lock_guard lock(mutex_);
            if (is_broken_) throw StateError("these sums were left behind by an error");
            tau = sums_.integrated_time(c);
        }
        if (!tau) return py::none();
        return py::array_t<double>(static_cast<py::ssize_t>(tau->size()), tau->data());
    }

  private:
    mutable std::mutex mutex_;
    LagSums sums_;
    bool is_broken_ = false;
};

}  // namespace

void bind_lag_sums(py::module_& m) {
    py::class_<SharedLagSums>(m, "LagSums", py::is_final(), plain_metaclass(), constructed_by_new,
                              R"(
Sums over draws that grow, from which their integrated autocorrelation times follow.

What is appended costs what it is, and is not kept. The sums take the room of ``3 * n_lags`` steps,
in float64.

Parameters
----------
n_walkers, n_params : int
    Of the ensemble.
n_lags : int
    Windows up to so many steps can be found.

Raises
------
ValueError
    For no lags.
)")
        .def(py::init<py::ssize_t, py::ssize_t, py::ssize_t>(), py::arg("n_walkers"),
             py::arg("n_params"), py::arg("n_lags"))
        .def_property_readonly("n_steps", &SharedLagSums::n_steps, "How many were appended.")
        .def_property_readonly("n_lags", &SharedLagSums::n_lags,
                               "At least those that were asked for.")
        .def("append", &SharedLagSums::append, py::arg("draws"), py::kw_only(),
             py::arg("threads") = 1, R"(
Add the draws that follow.

Parameters
----------
draws : ndarray, shape (n_steps, n_walkers, n_params)
    Real numbers. float32, float64 and long double are read where they are, at any strides.
threads : int, default 1
    The most threads to use.

Raises
------
ValueError
    For draws of another type, or of another ensemble, than those before, and no threads. The sums
    cannot be used any more.
TypeError
    For draws that are not real numbers.
)")
        .def("integrated_time", &SharedLagSums::integrated_time, py::arg("c") = 5.0, R"(
Integrated autocorrelation time of each parameter, as `integrated_time` of all draws gives it.

Parameters
----------
c : float, default 5
    The sum ends at the first lag that is not below ``c`` times the time so far.

Returns
-------
ndarray of float64, shape (n_params,), or None
    None where more lags are needed to find a window.

Raises
------
ValueError
    For no steps.
)");
}

}  // namespace drawstore::bindings
