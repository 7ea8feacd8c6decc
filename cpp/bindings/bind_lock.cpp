// The right to write a file.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "drawstore/write_lock.hpp"
#include "pybind.hpp"

namespace drawstore::bindings {
namespace {

// Ctrl-C ends the wait of a thread of Python's.
void pause(double seconds) {
    const std::chrono::duration<double> time(seconds);
    if (Py_IsInitialized() == 0 || PyGILState_Check() == 0) {
        std::this_thread::sleep_for(time);
        return;
    }
    {
        const py::gil_scoped_release released;
        std::this_thread::sleep_for(time);
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

std::unique_ptr<WriteLock> take(int descriptor, const std::string& path) {
    auto lock = WriteLock::try_take(descriptor, path);
    if (!lock) {
        watch_holder(path);
        lock = WriteLock::try_take(descriptor, path);
    }
    return lock ? std::make_unique<WriteLock>(std::move(*lock)) : nullptr;
}

}  // namespace

void bind_lock(py::module_& m) {
    set_pause(&pause);
    py::class_<WriteLock>(m, "WriteLock", py::is_final(), plain_metaclass(), never_constructed, R"(
The right to write a file, which one process has at a time: `take_write_lock` gives it.

It is an exclusive ``flock``; where the file system has none, a lock file beside the locked one. A
forked child does not have it, and cannot end it.
)")
        .def("check", &WriteLock::check, R"(
Make sure that the lock is still held; to be called before each change of the file.

Raises
------
RuntimeError
    Where another process has taken it over, because this one was stopped for long.
OSError
    Where that can be, and cannot be found out.
)")
        .def_property_readonly("is_lost", &WriteLock::is_lost,
                               "Whether it is known that another process has taken it over.")
        .def("release", &WriteLock::release,
             "Give the lock back. To be called before the descriptor is closed.");
    m.def("take_write_lock", &take, py::arg("fd"), py::arg("path"), R"(
Become the process that writes a file, or find that another is.

Where a lock file is that of a process on another machine, it is watched until it is known whether
that process lives: for some seconds where it does, and for a minute where it is dead.

Parameters
----------
fd : int
    The file, open for writing.
path : str
    Its name.

Returns
-------
WriteLock or None
    None where another process writes it.
)");
    m.def(
        "is_locked",
        [](int descriptor, const std::string& path) { return is_locked(descriptor, path); },
        py::arg("fd"), py::arg("path"), "Whether another process writes a file, or may do so.");
    m.def(
        "lock_file_holder", [](const std::string& path) { return lock_file_holder(path); },
        py::arg("path"),
        "Name the process that writes a file, where a lock file says so; else \"\".");
    m.def("set_heartbeat", &set_heartbeat, py::arg("seconds"),
          "Choose how often lock files are renewed, for tests; 5 s if not told.");
}

}  // namespace drawstore::bindings
