#include <exception>
#include <new>
#include <string>

#include "drawstore/error.hpp"
#include "pybind.hpp"

namespace drawstore::bindings {

void set_python_error(std::exception_ptr error) {
    try {
        std::rethrow_exception(error);
    } catch (py::error_already_set& e) {
        e.restore();
    } catch (const ValueError& e) {
        PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const TypeError& e) {
        PyErr_SetString(PyExc_TypeError, e.what());
    } catch (const NameError& e) {
        PyErr_SetString(PyExc_KeyError, e.what());
    } catch (const SystemError& e) {
        const auto make = py::reinterpret_borrow<py::object>(PyExc_OSError);
        const py::object os_error =
            e.path().empty() ? make(e.code(), e.what()) : make(e.code(), e.what(), e.path());
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(os_error.ptr())), os_error.ptr());
    } catch (const MemoryError& e) {
        PyErr_SetString(PyExc_MemoryError, e.what());
    } catch (const Error& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    } catch (const std::bad_alloc& e) {
        PyErr_SetString(PyExc_MemoryError, e.what());
    } catch (const std::exception& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    }
}

py::object not_a_backend(const py::object& self) {
    throw py::attribute_error(
        "a " + py::type::of(self).attr("__name__").cast<std::string>() +
        " is not a backend of emcee; use drawstore.emcee.Backend, in memory, or "
        "drawstore.emcee.HDFBackend, in a file");
}

void register_errors() {
    py::register_exception_translator([](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const Error&) {
            set_python_error(error);  // pybind11 knows all the others
        }
    });
}

}  // namespace drawstore::bindings
