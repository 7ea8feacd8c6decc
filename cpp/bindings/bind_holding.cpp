#include <cmath>
#include <utility>

#include "pybind.hpp"

namespace drawstore::bindings {
namespace {

// A lock of Python's that is held as long as a context lasts, if it can be had in time. In Python,
// an exception that a signal raises can come between taking a lock and noting that it is taken: it
// then stays locked for good. Entering a context of a compiled type leaves no room for that.
class Holding {
  public:
    Holding(py::object lock, double timeout) : lock_(std::move(lock)), timeout_(timeout) {}

    bool enter() {
        const double seconds = std::isinf(timeout_) ? -1.0 : timeout_;
        taken_ = lock_.attr("acquire")(true, seconds).cast<bool>();
        return taken_;
    }

    void exit(const py::args&) {
        if (std::exchange(taken_, false)) lock_.attr("release")();
    }

  private:
    const py::object lock_;
    const double timeout_;
    bool taken_ = false;
};

}  // namespace

void bind_holding(py::module_& m) {
    py::class_<Holding>(m, "Holding", constructed_by_new, plain_metaclass(), py::is_final(),
                        "A lock, held as long as a context lasts, if it can be had within so many "
                        "seconds; entering tells.")
        .def(py::init<py::object, double>(), py::arg("lock"), py::arg("timeout"))
        .def("__enter__", &Holding::enter)
        .def("__exit__", &Holding::exit);
}

}  // namespace drawstore::bindings
