// One variable of fixed size as Python sees it: how values get in, how arrays come out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "drawstore/variable.hpp"
#include "numpy_api.hpp"

namespace drawstore::bindings {

// NumPy's description of a dtype as the library keeps it, and back. Throws TypeError for a dtype
// that holds Python objects or has no fixed size.
DType describe_dtype(const py::dtype& dtype);
py::dtype numpy_dtype(const DType& dtype);

// Everything here is called with the GIL held.
class Column {
  public:
    // Throws TypeError for a dtype that holds Python objects or has no fixed size.
    Column(std::string name, const py::dtype& dtype, const std::vector<py::ssize_t>& shape);

    // The column of a rigid variable.
    explicit Column(const Variable& variable);

    const Variable& variable() const noexcept { return variable_; }
    const py::dtype& dtype() const noexcept { return dtype_; }

    // Whether `value` is n_rows rows of exactly this dtype and shape, contiguous: its bytes can be
    // copied. n_rows < 0 stands for one row without a row axis.
    bool matches(PyObject* value, npy_intp n_rows = -1) const noexcept;

    // Writes one row to `target`. Throws ValueError for another shape, TypeError where NumPy's
    // "same_kind" rule does not allow the conversion; `target` may have been written to then.
    void store(PyObject* value, std::byte* target) const;

    // `values` as n_rows rows of this dtype and shape, contiguous; the same array where it is
    // already. Throws like store().
    py::array convert(const py::handle& values, py::ssize_t n_rows) const;

    // An array over n_rows rows that starts at `data` and keeps `owner`; n_rows < 0 stands for one
    // row without a row axis. `stride` is the distance of rows, 0 where they lie one behind the
    // other.
    py::array wrap(std::shared_ptr<const void> owner, std::byte* data, py::ssize_t n_rows,
                   bool writeable, std::size_t stride = 0) const;

  private:
    py::array checked(const py::handle& value, py::ssize_t n_rows) const;
    py::array array_over(std::byte* data, py::ssize_t n_rows, const py::handle& owner,
                         std::size_t stride = 0) const;

    py::dtype dtype_;
    Variable variable_;
    std::vector<npy_intp> shape_;
    std::size_t row_bytes_;
};

}  // namespace drawstore::bindings
