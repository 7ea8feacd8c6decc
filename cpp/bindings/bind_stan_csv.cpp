// Files of Stan.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "drawstore/error.hpp"
#include "drawstore/stan_csv.hpp"
#include "pybind.hpp"

namespace drawstore::bindings {
namespace {

using Numbers = py::array_t<std::int64_t, py::array::c_style>;

// Paths in comments may be in any encoding.
py::str text_of(const std::string& bytes) {
    PyObject* text = PyUnicode_DecodeUTF8(bytes.data(), static_cast<py::ssize_t>(bytes.size()),
                                          "backslashreplace");
    if (!text) throw py::error_already_set();
    return py::reinterpret_steal<py::str>(text);
}

std::uint64_t refresh(StanCsv& file) {
    const py::gil_scoped_release released;
    return file.refresh();
}

py::list columns(const StanCsv& file) {
    py::list names;
    for (const std::string& name : file.columns()) names.append(text_of(name));
    return names;
}

py::list comments(const StanCsv& file) {
    py::list pairs;
    for (const auto& [row, text] : file.comments())
        pairs.append(py::make_tuple(row, text_of(text)));
    return pairs;
}

void read(const StanCsv& file, std::uint64_t start, std::uint64_t stop, std::uint64_t step,
          const Numbers& offsets, const Numbers& strides, py::array_t<double>& into) {
    if (offsets.ndim() != 1 || strides.ndim() != 1 || offsets.size() != strides.size()) {
        throw ValueError("offsets and strides are one number a column");
    }
    if (into.ndim() != 1 || !(into.flags() & py::array::c_style)) {
        throw ValueError("what is to be filled is one contiguous array");
    }
    std::vector<StanCsv::Place> places(static_cast<std::size_t>(offsets.size()));
    for (std::size_t c = 0; c < places.size(); ++c) {
        const auto i = static_cast<py::ssize_t>(c);
        places[c] = {offsets.at(i), strides.at(i)};
    }
    const std::span<double> target(into.mutable_data(), static_cast<std::size_t>(into.size()));
    const py::gil_scoped_release released;
    file.read(start, stop, step, places, target);
}

}  // namespace

void bind_stan_csv(py::module_& m) {
    py::class_<StanCsv>(m, "StanCsv", py::is_final(), plain_metaclass(), constructed_by_new, R"(
A file of Stan CSV, which may still be growing.

Parameters
----------
path : str
    Of the file.

Raises
------
ValueError
    Where it has no header row.
OSError
    Where it cannot be read.

Notes
-----
Only whole lines count. Any thread may call any method; the file is open only while one runs.
)")
        .def(py::init([](const std::string& path) {
                 const py::gil_scoped_release released;
                 return std::make_unique<StanCsv>(path);
             }),
             py::arg("path"))
        .def_property_readonly("columns", &columns, "The names in the header row.")
        .def("refresh", &refresh, R"(
Look for lines that came since, and give the number of rows.

Raises
------
ValueError
    Where the file has become shorter.
)")
        .def("comments", &comments, R"(
Give the comments as of the last `refresh`.

Returns
-------
list of (int, str)
    Blocks of comment lines, and how many rows are above each.
)")
        .def("read", &read, py::arg("start"), py::arg("stop"), py::arg("step"), py::arg("offsets"),
             py::arg("strides"), py::arg("into").noconvert(), R"(
Read rows; each number becomes the double next to it.

Parameters
----------
start, stop, step : int
    The rows, of those that there were at the last `refresh`; the step is positive.
offsets, strides : ndarray of int64, shape (columns,)
    The value of the i-th row goes to ``into[offset + i * stride]``. A column with a negative offset
    is not wanted.
into : ndarray of float64, one-dimensional and contiguous

Raises
------
ValueError
    Where a row is not as the header says; the message names file, line and column.
)");
}

}  // namespace drawstore::bindings
