// One ragged variable of a chain as Python sees it.
#pragma once

#include <cstdint>
#include <optional>

#include "drawstore/ragged.hpp"
#include "numpy_api.hpp"

namespace drawstore::bindings {

// Everything here is called with the GIL held.
class RaggedColumn {
  public:
    // Views of a Python value, which is kept.
    struct Taken {
        py::object held;
        RaggedValue value;
    };

    explicit RaggedColumn(const Variable& variable);

    const Variable& variable() const noexcept { return variable_; }
    bool is_text() const noexcept { return variable_.dtype.kind == Kind::String; }

    // Throws TypeError where a value cannot be stored without loss. Its shape is not looked at.
    Taken take(const py::handle& value) const;

    // What get_draws gives of the rows whose items these are: for text of a fixed shape an object
    // array of str, shape (n, *shape), else one of arrays, shape (n,). Read-only.
    py::array give(const std::vector<std::span<const std::byte>>& items) const;

    // What get_draws_at gives of one row.
    py::array give_one(std::span<const std::byte> item) const;

  private:
    bool has_fixed_shape() const noexcept;
    py::array array_of(const RaggedValue& value) const;

    Variable variable_;
    std::optional<py::dtype> dtype_;  // of numbers and opaque values
};

}  // namespace drawstore::bindings
