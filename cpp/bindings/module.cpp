#include "pybind.hpp"

PYBIND11_MODULE(_core, m) {
    m.doc() = "The compiled core of drawstore.";
    drawstore::bindings::register_errors();
    drawstore::bindings::bind_autocorr(m);
}
