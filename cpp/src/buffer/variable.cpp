#include "drawstore/variable.hpp"

#include <limits>

#include "drawstore/error.hpp"

namespace drawstore {

std::size_t Variable::row_bytes() const {
    constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max());
    std::uint64_t bytes = dtype.itemsize;
    for (const std::uint64_t extent : shape) {
        if (extent != 0 && bytes > limit / extent) {
            throw ValueError("one draw of " + describe() + " is larger than the address space");
        }
        bytes *= extent;
    }
    return static_cast<std::size_t>(bytes);
}

std::string Variable::describe() const {
    std::string text = "'" + name + "' (" + dtype.descriptor + ", shape (";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        text += (i ? ", " : "") + std::to_string(shape[i]);
    }
    return text + (shape.size() == 1 ? ",))" : "))");
}

}  // namespace drawstore
