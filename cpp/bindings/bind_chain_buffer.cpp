#include <string>
#include <tuple>

#include "py_chain_buffer.hpp"

namespace drawstore::bindings {
namespace {

using Declaration = std::tuple<std::string, py::object, std::vector<py::ssize_t>>;

std::unique_ptr<PyChainBuffer> make(const std::vector<Declaration>& variables,
                                    std::optional<std::uint64_t> segment_rows,
                                    std::uint64_t max_segments) {
    std::vector<Column> columns;
    for (const auto& [name, dtype, shape] : variables) {
        columns.emplace_back(name, py::dtype::from_args(dtype), shape);
    }
    std::optional<ChainBuffer::Ring> ring;
    if (segment_rows) ring = ChainBuffer::Ring{*segment_rows, max_segments};
    return std::make_unique<PyChainBuffer>(std::move(columns), ring);
}

py::list variables(const PyChainBuffer& self) {
    py::list declarations;
    for (const Column& column : self.columns()) {
        const Variable& variable = column.variable();
        declarations.append(
            py::make_tuple(variable.name, column.dtype(), py::tuple(py::cast(variable.shape))));
    }
    return declarations;
}

}  // namespace

void bind_chain_buffer(py::module_& m) {
    py::class_<PyChainBuffer>(m, "ChainBuffer", py::is_final(), plain_metaclass(),
                              constructed_by_new, R"(
Rows of named variables in memory: append-only, with exact dtypes.

Parameters
----------
variables : sequence of (str, dtype, tuple of int)
    Name, dtype and shape of one draw of each variable.
segment_rows : int, optional
    Makes the buffer a ring of segments of so many rows, each used again once its rows are
    confirmed. By default all rows stay, contiguous.
max_segments : int, default 0
    The most segments that a ring may have; 0 is no limit.

Raises
------
ValueError
    For a name that is empty or comes twice, and for a ring of no rows.
TypeError
    For a dtype that holds Python objects.

Notes
-----
One thread appends at a time: a second one gets a RuntimeError. Any thread may read.
)")
        .def(py::init(&make), py::arg("variables"), py::kw_only(),
             py::arg("segment_rows") = py::none(), py::arg("max_segments") = 0)
        .def("__len__", [](PyChainBuffer& self) { return self.buffer().size(); })
        .def_property_readonly("variables", &variables, "Name, dtype and shape of each variable.")
        .def_property_readonly(
            "first_row", [](PyChainBuffer& self) { return self.buffer().first_row(); },
            "The oldest row still held: 0, except in a ring.")
        .def_property_readonly(
            "announced", [](PyChainBuffer& self) { return self.buffer().announced(); },
            "The number of rows that were announced.")
        .def(
            "announce",
            [](PyChainBuffer& self, std::uint64_t n_rows) { self.buffer().announce(n_rows); },
            py::arg("n_rows"),
            "Say that the buffer is to hold ``n_rows`` rows in all. Only guides allocation.")
        .def("append", &PyChainBuffer::append, py::arg("draw"), R"(
Append one draw.

Parameters
----------
draw : dict of str to array_like
    A value of exactly the declared shape for each variable.

Raises
------
ValueError
    For a missing value or another shape.
KeyError
    For a name that is not declared.
TypeError
    Where NumPy's "same_kind" rule does not allow the conversion to the declared dtype.
RuntimeError
    Where another thread is appending, or a bounded ring is full.

Notes
-----
A draw that is rejected leaves the chain as it was.
)")
        .def("extend", &PyChainBuffer::extend, py::arg("draws"),
             "Append many draws: arrays with a leading axis of the same length. All or none.\n\n"
             "Raises as `append` does.")
        .def("get_draws", &PyChainBuffer::get_draws, py::arg("name"),
             py::arg("slc") = py::slice(std::nullopt, std::nullopt, std::nullopt), R"(
Draws of one variable, as a read-only array.

Parameters
----------
name : str
    The variable.
slc : slice, default all
    Which rows, with any step.

Returns
-------
ndarray, shape (n_rows, *shape)
    Without a copy, and valid whatever happens to the buffer later. Rows that lie in several
    segments of a ring are copied.

Raises
------
KeyError
    For a name that is not declared.
ValueError
    For rows that a ring has given up.
)")
        .def("get_room", &PyChainBuffer::get_room, py::arg("name"),
             "All announced rows as a writeable array; those not committed are undefined. For\n"
             "adapters whose users fill arrays in place.")
        .def(
            "commit_room",
            [](PyChainBuffer& self, std::uint64_t n_rows) {
                ChainBuffer::Append(self.buffer(), n_rows).commit();
            },
            py::arg("n_rows"), "Commit the next ``n_rows`` rows as they lie in `get_room`.")
        .def(
            "confirm", [](PyChainBuffer& self, std::uint64_t row) { self.buffer().confirm(row); },
            py::arg("row"),
            "Say that the rows before ``row`` are held elsewhere: a ring may use them again.")
        .def(
            "reset", [](PyChainBuffer& self) { self.buffer().reset(); },
            "Start again at no rows. Arrays that were handed out stay what they were.")
        .def_property_readonly("initialized", &not_a_backend,
                               "Not there: emcee is told which classes are backends.");
}

}  // namespace drawstore::bindings
