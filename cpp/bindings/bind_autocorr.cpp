#include "pybind.hpp"
namespace drawstore::bindings {
void bind_autocorr(py::module_&) {}
}  // namespace drawstore::bindings
