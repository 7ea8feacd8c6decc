#define DRAWSTORE_IMPORTS_NUMPY
#include "numpy_api.hpp"

PYBIND11_MODULE(_core, m) {
    if (_import_array() < 0) throw py::error_already_set();
    m.doc() = "The compiled core of drawstore.";
    drawstore::bindings::register_errors();
    drawstore::bindings::bind_autocorr(m);
    drawstore::bindings::bind_chain(m);
    drawstore::bindings::bind_chain_buffer(m);
    drawstore::bindings::bind_checksum(m);
    drawstore::bindings::bind_clickhouse(m);
    drawstore::bindings::bind_extremes(m);
    drawstore::bindings::bind_file_io(m);
    drawstore::bindings::bind_holding(m);
    drawstore::bindings::bind_journal(m);
    drawstore::bindings::bind_lag_sums(m);
    drawstore::bindings::bind_lock(m);
    drawstore::bindings::bind_run(m);
    drawstore::bindings::bind_stan_csv(m);
    drawstore::bindings::bind_step_recorder(m);
}
