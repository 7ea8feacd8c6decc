#include "py_chain_buffer.hpp"

#include <cstring>

#include "drawstore/error.hpp"

namespace drawstore::bindings {
namespace {

// Giving the GIL up costs about 35 ns and more where others want it: only for large copies.
constexpr std::size_t release_gil_from = std::size_t{1} << 20;

std::vector<Variable> variables_of(const std::vector<Column>& columns) {
    std::vector<Variable> variables;
    for (const Column& column : columns) variables.push_back(column.variable());
    return variables;
}

}  // namespace

PyChainBuffer::PyChainBuffer(std::vector<Column> columns, std::optional<ChainBuffer::Ring> ring)
    : columns_(std::move(columns)),
      buffer_(std::make_shared<ChainBuffer>(variables_of(columns_), ring)) {}

std::vector<py::handle> PyChainBuffer::in_order(const py::dict& values) const {
    std::vector<py::handle> ordered;
    for (const Column& column : columns_) {
        PyObject* value = PyDict_GetItemString(values.ptr(), column.variable().name.c_str());
        if (!value) throw ValueError("no value for " + column.variable().describe());
        ordered.emplace_back(value);
    }
    if (values.size() != columns_.size()) {
        for (const auto& item : values) buffer_->find(py::str(item.first).cast<std::string>());
    }
    return ordered;
}

void PyChainBuffer::append(const py::dict& draw) {
    const std::vector<py::handle> values = in_order(draw);
    ChainBuffer::Append row(*buffer_);
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        columns_[c].store(values[c].ptr(), row.at(c));
    }
    row.commit();
}

void PyChainBuffer::extend(const py::dict& draws) {
    const std::vector<py::handle> given = in_order(draws);
    if (given.empty()) throw ValueError("a chain without variables cannot be extended");
    const py::ssize_t n_rows = py::len(given.front());
    std::vector<py::array> values;
    std::size_t bytes = 0;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        values.push_back(columns_[c].convert(given[c], n_rows));
        bytes += static_cast<std::size_t>(values.back().nbytes());
    }
    const auto count = static_cast<std::uint64_t>(n_rows);
    ChainBuffer::Append append(*buffer_, count);
    std::optional<py::gil_scoped_release> released;
    if (bytes >= release_gil_from) released.emplace();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        const auto* source = static_cast<const std::byte*>(
            PyArray_DATA(reinterpret_cast<PyArrayObject*>(values[c].ptr())));
        const std::size_t row_bytes = buffer_->row_bytes(c);
        for (std::uint64_t i = 0; i < count;) {
            const std::uint64_t n = append.contiguous(i);
            std::memcpy(append.at(c, i), source + i * row_bytes, n * row_bytes);
            i += n;
        }
    }
    append.commit();
}

py::array PyChainBuffer::rows(std::size_t column, std::uint64_t start, std::uint64_t stop) const {
    const auto spans = buffer_->read(column, start, stop);
    if (spans.size() == 1) {
        return columns_[column].wrap(spans[0].owner, spans[0].data,
                                     static_cast<py::ssize_t>(stop - start), false);
    }
    // Rows of several segments, or none at all: a copy.
    const Variable& variable = columns_[column].variable();
    std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(stop - start)};
    shape.insert(shape.end(), variable.shape.begin(), variable.shape.end());
    py::array copy(columns_[column].dtype(), shape);
    auto* target =
        static_cast<std::byte*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(copy.ptr())));
    for (const auto& span : spans) {
        const std::size_t bytes = span.n_rows * buffer_->row_bytes(column);
        std::memcpy(target, span.data, bytes);
        target += bytes;
    }
    PyArray_CLEARFLAGS(reinterpret_cast<PyArrayObject*>(copy.ptr()), NPY_ARRAY_WRITEABLE);
    return copy;
}

py::array PyChainBuffer::get_draws(const std::string& name, const py::slice& slice) const {
    const std::size_t column = buffer_->find(name);
    const auto size = static_cast<py::ssize_t>(buffer_->size());
    py::ssize_t start = 0;
    py::ssize_t stop = 0;
    py::ssize_t step = 0;
    if (PySlice_Unpack(slice.ptr(), &start, &stop, &step) < 0) throw py::error_already_set();
    const py::ssize_t count = PySlice_AdjustIndices(size, &start, &stop, step);
    if (count == 0) {
        const std::uint64_t none = buffer_->first_row();
        return rows(column, none, none);
    }
    const py::ssize_t last = start + (count - 1) * step;
    const py::ssize_t lowest = std::min(start, last);
    const py::array span = rows(column, static_cast<std::uint64_t>(lowest),
                                static_cast<std::uint64_t>(std::max(start, last)) + 1);
    if (step == 1) return span;
    const py::ssize_t past = last - lowest + (step > 0 ? 1 : -1);
    const py::slice relative(start - lowest, past < 0 ? std::optional<py::ssize_t>() : past, step);
    return span[relative].cast<py::array>();
}

py::array PyChainBuffer::get_room(const std::string& name) const {
    const std::size_t column = buffer_->find(name);
    const ChainBuffer::Span span = buffer_->room(column);
    return columns_[column].wrap(span.owner, span.data, static_cast<py::ssize_t>(span.n_rows),
                                 true);
}

}  // namespace drawstore::bindings
