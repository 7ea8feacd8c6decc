// A chain beside the columns through which Python reaches it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drawstore/chain.hpp"
#include "field.hpp"
#include "plain_field.hpp"

namespace drawstore::bindings {

// Everything here is called with the GIL held.

// The mask of a numpy.ma.MaskedArray, flat; of structured values it has an element a field. None
// for anything else.
std::optional<py::array_t<bool>> flat_mask(const py::object& values);

class PyChain {
  public:
    static constexpr std::uint64_t never = ~std::uint64_t{0};

    // `origin` says where a stored chain is, for pickling: the directory; None in memory.
    PyChain(std::shared_ptr<Chain> chain, py::object origin);

    Chain& chain() const noexcept { return *chain_; }
    const py::object& origin() const noexcept { return origin_; }

    // The number of rows from which on whoever appends is told so.
    std::uint64_t notify_at = never;
    bool has_to_tell() const { return notify_at != never && chain_->rows().size() >= notify_at; }

    void append(PyObject* draw, PyObject* stats);
    void extend(const py::handle& draws, const py::handle& stats);

    enum class Part { Draws, Stats };
    py::object get(Part part, const std::string& name, const py::slice& rows) const;
    py::dict get_at(Part part, py::ssize_t i, const py::object& names) const;

    const std::vector<Field>& fields() const noexcept { return fields_; }

  private:
    // The keys of the last mapping that was taken, in its order: the next one is most likely alike.
    struct Key {
        py::object name;
        std::size_t field;
    };
    using Order = std::vector<Key>;

    // What a mapping has, borrowed for as long as it is worked on.
    struct Item {
        PyObject* name;
        PyObject* value;
    };

    bool store_plain(PyObject* draw, const Order& order, std::size_t count,
                     const Rows::Slots& slots) noexcept;
    void collect(const py::handle& values, Part part, std::vector<py::object>& ordered);
    static bool collect_known(PyObject* values, Part part, const Order& order,
                              std::vector<py::object>& ordered);
    struct Values;
    Values convert(std::size_t field, const py::object& given, py::ssize_t n) const;
    std::uint64_t store_block(const std::vector<Values>& values, std::uint64_t done,
                              std::uint64_t n);
    void append_any(const std::vector<py::object>& values, const Rows::Slots* slots);
    std::size_t find(Part part, std::string_view name) const;

    py::object read(std::size_t field, Slice slice) const;
    py::object read_at(std::size_t field, std::uint64_t i) const;

    std::shared_ptr<Chain> chain_;
    py::object origin_;
    const Layout& layout_;
    std::vector<Field> fields_;
    std::vector<PlainField> plain_fields_;  // by field
    std::vector<Item> items_;               // of the mapping at hand
    Order draw_order_;
    Order stat_order_;
};

}  // namespace drawstore::bindings
