// Draws of an ensemble that NumPy holds.
#pragma once

#include "drawstore/autocorr.hpp"
#include "pybind.hpp"

namespace drawstore::bindings {

// A view of draws, and what keeps them alive.
struct HeldDraws {
    py::array draws;
    EnsembleView view;
};

// Makes draws of real numbers readable where they are. Only those of other types than float32,
// float64 and long double are copied, and those that are not aligned or not in native order.
//
// Throws ValueError for other axes than steps, walkers and parameters, and TypeError for draws that
// are not real numbers.
HeldDraws hold(const py::array& given);

}  // namespace drawstore::bindings
