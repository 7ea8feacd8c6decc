#include "drawstore/variable.hpp"

#include <algorithm>
#include <limits>

#include "drawstore/error.hpp"

namespace drawstore {

bool Variable::is_ragged() const noexcept {
    const auto is_dynamic = [](std::int64_t extent) { return extent < 0; };
    return undefined_ndim || dtype.kind == Kind::String ||
           std::any_of(shape.begin(), shape.end(), is_dynamic);
}

std::size_t Variable::row_bytes() const {
    constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max());
    std::uint64_t bytes = dtype.itemsize;
    for (const std::int64_t signed_extent : shape) {
        const auto extent = static_cast<std::uint64_t>(signed_extent);
        if (extent != 0 && bytes > limit / extent) {
            throw ValueError("one draw of " + describe() + " is larger than the address space");
        }
        bytes *= extent;
    }
    return static_cast<std::size_t>(bytes);
}

std::string Variable::describe() const {
    std::string text = "'" + name + "' (" + dtype.descriptor;
    if (undefined_ndim) return text + ", of any shape)";
    text += ", shape (";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        text += (i ? ", " : "") + (shape[i] < 0 ? "any" : std::to_string(shape[i]));
    }
    return text + (shape.size() == 1 ? ",))" : "))");
}

}  // namespace drawstore
