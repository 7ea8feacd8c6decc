#include "field.hpp"

#include <algorithm>
#include <utility>

namespace drawstore::bindings {

Field::Field(const Variable& variable) {
    if (variable.is_ragged()) {
        ragged.emplace(variable);
    } else {
        rigid.emplace(variable);
    }
}

py::object Field::give(Rows::Span span, const Rows::Items& items,
                       const std::vector<bool>& missing) const {
    py::array values;
    if (ragged) {
        values = ragged->give(items.items);
    } else {
        values = rigid->wrap(std::move(span.owner), const_cast<std::byte*>(span.data),
                             static_cast<py::ssize_t>(span.n_rows), false,
                             span.n_rows > 1 ? span.stride : 0);
    }
    if (missing.empty()) return values;
    py::array_t<bool> mask(
        std::vector<py::ssize_t>(values.shape(), values.shape() + values.ndim()));
    const auto per_row = static_cast<std::size_t>(mask.size()) / missing.size();
    for (std::size_t i = 0; i < missing.size(); ++i) {
        std::fill_n(mask.mutable_data() + i * per_row, per_row, bool(missing[i]));
    }
    return py::module_::import("numpy.ma").attr("MaskedArray")(values, mask);
}

}  // namespace drawstore::bindings
