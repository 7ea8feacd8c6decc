// A chain buffer beside the columns through which Python reaches it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "column.hpp"
#include "drawstore/chain_buffer.hpp"

namespace drawstore::bindings {

class PyChainBuffer {
  public:
    PyChainBuffer(std::vector<Column> columns, std::optional<ChainBuffer::Ring> ring);

    ChainBuffer& buffer() noexcept { return *buffer_; }
    const std::vector<Column>& columns() const noexcept { return columns_; }

    void append(const py::dict& draw);
    void extend(const py::dict& draws);
    py::array get_draws(const std::string& name, const py::slice& rows) const;
    py::array get_room(const std::string& name) const;

  private:
    py::array rows(std::size_t column, std::uint64_t start, std::uint64_t stop) const;
    std::vector<py::handle> in_order(const py::dict& values) const;

    std::vector<Column> columns_;
    std::shared_ptr<ChainBuffer> buffer_;
};

}  // namespace drawstore::bindings
