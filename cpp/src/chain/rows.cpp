#include "drawstore/rows.hpp"

#include <cstring>

#include "file/copy.hpp"

namespace drawstore {

void Rows::copy(std::uint64_t start, std::uint64_t stop, std::span<const Target> targets) const {
    for (const auto& [column, to] : targets) {
        const std::size_t bytes = columns_[column].bytes;
        if (start == stop || bytes == 0) continue;
        const Span span = read(column, start, stop, 1);
        if (span.stride == bytes) {
            std::memcpy(to, span.data, static_cast<std::size_t>(span.n_rows) * bytes);
        } else {
            file::gather(to, span.data, span.stride, span.n_rows, bytes);
        }
    }
}

}  // namespace drawstore
