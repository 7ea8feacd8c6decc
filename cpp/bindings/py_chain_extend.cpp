// Appending a block of draws.
#include <cstring>

#include "drawstore/error.hpp"
#include "py_chain.hpp"

namespace drawstore::bindings {
namespace {

// Giving the GIL up costs about 35 ns and more where others want it: only for large copies.
constexpr std::size_t release_gil_from = std::size_t{1} << 20;

// Which of n rows of a stat are masked; empty where none is. Throws ValueError where a row is
// masked only in part.
std::vector<bool> masked_rows(const py::object& values, const Variable& stat, py::ssize_t n) {
    std::vector<bool> rows;
    const auto mask = flat_mask(values);
    if (!mask) return rows;
    const py::array array(values);
    if (array.ndim() == 0 || array.shape(0) != n) return rows;  // the shape is found wrong later
    const py::ssize_t per_row = n == 0 ? 0 : mask->size() / n;
    rows.resize(static_cast<std::size_t>(n));
    for (py::ssize_t i = 0; i < n; ++i) {
        const bool* first = mask->data() + i * per_row;
        const auto masked = std::count(first, first + per_row, true);
        if (masked != 0 && masked != per_row) {
            throw ValueError("row " + std::to_string(i) + " of " + stat.describe() +
                             " is masked in part; a stat is there, or missing, as a whole");
        }
        rows[static_cast<std::size_t>(i)] = masked != 0;
    }
    return rows;
}

void copy_rows(std::byte* target, std::size_t stride, const std::byte* source, std::size_t bytes,
               std::uint64_t n) {
    if (bytes == 0) return;
    if (stride == bytes) {
        std::memcpy(target, source, bytes * n);
        return;
    }
    for (std::uint64_t i = 0; i < n; ++i)
        std::memcpy(target + i * stride, source + i * bytes, bytes);
}

}  // namespace

// One field of a block, converted.
struct PyChain::Values {
    py::array rigid;
    std::vector<RaggedColumn::Taken> ragged;
    std::vector<bool> missing;  // by row; empty where none is
    bool is_there = true;
};

PyChain::Values PyChain::convert(std::size_t f, const py::object& given, py::ssize_t n) const {
    const Field& field = fields_[f];
    Values values;
    values.is_there = bool(given);
    if (!values.is_there) return values;
    if (f >= layout_.n_variables()) values.missing = masked_rows(given, field.variable(), n);
    if (field.rigid) {
        values.rigid = field.rigid->convert(given, n);
        return values;
    }
    const py::ssize_t length = PyUnicode_Check(given.ptr()) ? -1 : py::len(given);
    if (length != n) {
        throw ValueError("expected " + std::to_string(n) + " rows of " +
                         field.variable().describe() + ", got " +
                         (length < 0 ? "one text" : std::to_string(length)));
    }
    for (py::ssize_t i = 0; i < n; ++i) {
        const bool is_missing =
            !values.missing.empty() && values.missing[static_cast<std::size_t>(i)];
        values.ragged.push_back(is_missing ? RaggedColumn::Taken{}
                                           : field.ragged->take(given[py::int_(i)]));
    }
    return values;
}

void PyChain::extend(const py::handle& draws, const py::handle& stats) {
    std::vector<py::object> given(fields_.size());
    collect(draws, Part::Draws, given);
    if (!stats.is_none()) collect(stats, Part::Stats, given);
    const auto first =
        std::find_if(given.begin(), given.end(), [](const auto& v) { return bool(v); });
    if (first == given.end()) throw ValueError("a block without values has no number of draws");
    const py::ssize_t n = py::len(*first);

    std::vector<Values> values;
    std::size_t bytes = 0;
    for (std::size_t f = 0; f < fields_.size(); ++f) {
        values.push_back(convert(f, given[f], n));
        if (fields_[f].rigid && values[f].is_there) {
            bytes += static_cast<std::size_t>(values[f].rigid.nbytes());
        }
    }
    Rows::Transaction transaction(chain_->rows());
    {
        std::optional<py::gil_scoped_release> released;
        if (bytes >= release_gil_from) released.emplace();
        for (std::uint64_t done = 0; done < static_cast<std::uint64_t>(n);) {
            done += store_block(values, done, static_cast<std::uint64_t>(n) - done);
        }
        transaction.commit();
    }
}

// Stores rows of a block from row `done` on; returns how many. Called with the GIL or without.
std::uint64_t PyChain::store_block(const std::vector<Values>& values, std::uint64_t done,
                                   std::uint64_t n) {
    const auto is_missing = [&](std::size_t f, std::uint64_t row) {
        return !values[f].is_there || (!values[f].missing.empty() && values[f].missing[row]);
    };
    std::vector<std::size_t> sizes(layout_.any_ragged() ? fields_.size() + 1 : 0);
    for (std::size_t f = 0; f < fields_.size() && !sizes.empty(); ++f) {
        if (fields_[f].ragged && !is_missing(f, done)) {
            sizes[f] = encoded_bytes(fields_[f].variable(), values[f].ragged[done].value);
        }
    }
    const Rows::Slots slots = chain_->rows().room(n, sizes);
    for (std::size_t f = 0; f < fields_.size(); ++f) {
        const Variable& variable = fields_[f].variable();
        if (fields_[f].ragged) {
            if (!is_missing(f, done)) {
                encode(variable, values[f].ragged[done].value, slots.at(f));
            }
            continue;
        }
        if (values[f].is_there) {
            const std::size_t bytes = variable.row_bytes();
            const auto* source = static_cast<const std::byte*>(
                PyArray_DATA(reinterpret_cast<PyArrayObject*>(values[f].rigid.ptr())));
            copy_rows(slots.at(f), slots.strides[f], source + done * bytes, bytes, slots.n_rows);
        }
        const bool may_miss = !values[f].is_there || !values[f].missing.empty();
        for (std::uint64_t i = 0; may_miss && i < slots.n_rows; ++i) {
            if (is_missing(f, done + i)) fill_missing(variable, slots.at(f, i));
        }
    }
    for (std::uint64_t i = 0; layout_.n_stats() > 0 && i < slots.n_rows; ++i) {
        std::byte* bits = slots.at(layout_.missing_column(), i);
        std::memset(bits, 0, layout_.missing_bytes());
        for (std::size_t s = 0; s < layout_.n_stats(); ++s) {
            if (is_missing(layout_.n_variables() + s, done + i)) {
                bits[s / 8] |= std::byte{1} << (s % 8);
            }
        }
    }
    return slots.n_rows;
}

}  // namespace drawstore::bindings
