#include "py_chain.hpp"

#include <algorithm>
#include <cstring>

#include "drawstore/error.hpp"

namespace drawstore::bindings {

PyChain::PyChain(std::shared_ptr<Chain> chain, py::object origin)
    : chain_(std::move(chain)), origin_(std::move(origin)), layout_(chain_->layout()) {
    for (const Variable& variable : layout_.fields()) {
        fields_.emplace_back(variable);
        const std::optional<Column>& rigid = fields_.back().rigid;
        plain_fields_.push_back(rigid ? PlainField(*rigid) : PlainField());
    }
    items_.resize(plain_fields_.size() + 1);
}

std::size_t PyChain::find(Part part, std::string_view name) const {
    return part == Part::Draws ? layout_.find_variable(name) : layout_.find_stat(name);
}

// Appending.

namespace {

template <class Word>
bool is_same_word(const char* a, const char* b) noexcept {
    Word left;
    Word right;
    std::memcpy(&left, a, sizeof left);
    std::memcpy(&right, b, sizeof right);
    return left == right;
}

// What memcmp says of short texts, without a call.
bool is_same(const char* a, const char* b, std::size_t n) noexcept {
    if (n >= 8) {
        for (std::size_t i = 0; i + 8 < n; i += 8) {
            if (!is_same_word<std::uint64_t>(a + i, b + i)) return false;
        }
        return is_same_word<std::uint64_t>(a + n - 8, b + n - 8);
    }
    if (n >= 4) {
        return is_same_word<std::uint32_t>(a, b) &&
               is_same_word<std::uint32_t>(a + n - 4, b + n - 4);
    }
    for (std::size_t i = 0; i < n; ++i) {
        if (a[i] != b[i]) return false;
    }
    return true;
}

bool is_same_text(PyObject* a, PyObject* b) noexcept {
    if (a == b) return true;
    if (!PyUnicode_CheckExact(a) || PyUnicode_GET_LENGTH(a) != PyUnicode_GET_LENGTH(b) ||
        PyUnicode_KIND(a) != PyUnicode_KIND(b)) {
        return false;
    }
    const auto bytes = static_cast<std::size_t>(PyUnicode_GET_LENGTH(a) * PyUnicode_KIND(a));
    return is_same(static_cast<const char*>(PyUnicode_DATA(a)),
                   static_cast<const char*>(PyUnicode_DATA(b)), bytes);
}

}  // namespace

// Stores the values of an exact dict that has the keys of `order` in their order, where none needs
// a conversion. No Python code runs here, so the dict cannot change meanwhile.
//
// With hundreds of variables it is not the copying that takes the time but the waiting for memory:
// a draw's keys, arrays, extents and data are thousands of cache lines. So each is asked for while
// the one before is worked on.
bool PyChain::store_plain(PyObject* draw, const Order& order, std::size_t count,
                          const Rows::Slots& slots) noexcept {
    if (!PyDict_CheckExact(draw) || order.size() != count ||
        static_cast<std::size_t>(PyDict_GET_SIZE(draw)) != count) {
        return false;
    }
    Py_ssize_t position = 0;
    Item* item = items_.data();
    while (PyDict_Next(draw, &position, &item->name, &item->value)) {
        prefetch(item->name);
        prefetch(reinterpret_cast<const std::byte*>(item->name) + sizeof(PyASCIIObject));
        PlainField::prefetch_value(item->value);
        ++item;
    }
    constexpr std::size_t ahead = 8;
    for (std::size_t k = 0; k < std::min(count, ahead); ++k) {
        plain_fields_[order[k].field].prefetch_data(items_[k].value);
    }
    for (std::size_t k = 0; k < count; ++k) {
        if (k + ahead < count) {
            plain_fields_[order[k + ahead].field].prefetch_data(items_[k + ahead].value);
        }
        const Key& expected = order[k];
        if (!is_same_text(items_[k].name, expected.name.ptr()) ||
            !plain_fields_[expected.field].store(items_[k].value, slots.at(expected.field))) {
            return false;
        }
    }
    return true;
}

void PyChain::append(PyObject* draw, PyObject* stats) {
    const std::size_t n_stats = layout_.n_stats();
    const bool has_stats = stats && stats != Py_None;
    Rows::Transaction transaction(chain_->rows());
    Rows::Slots slots;
    if (!layout_.any_ragged()) {
        slots = chain_->rows().room(1, {});
        if (store_plain(draw, draw_order_, layout_.n_variables(), slots) &&
            (n_stats == 0 ? !has_stats
                          : has_stats && store_plain(stats, stat_order_, n_stats, slots))) {
            if (n_stats > 0) {
                std::memset(slots.at(layout_.missing_column()), 0, layout_.missing_bytes());
            }
            transaction.commit();
            return;
        }
    }
    std::vector<py::object> values(fields_.size());
    collect(draw, Part::Draws, values);
    if (has_stats) collect(stats, Part::Stats, values);
    append_any(values, layout_.any_ragged() ? nullptr : &slots);
    transaction.commit();
}

// Puts the values of a mapping in the order of the fields.
void PyChain::collect(const py::handle& values, Part part, std::vector<py::object>& ordered) {
    Order& known = part == Part::Draws ? draw_order_ : stat_order_;
    if (collect_known(values.ptr(), part, known, ordered)) return;
    py::dict dict;
    if (PyDict_Check(values.ptr())) {
        dict = py::reinterpret_borrow<py::dict>(values);
    } else if (!PyMapping_Check(values.ptr()) || !py::hasattr(values, "keys")) {
        throw TypeError("expected a mapping of names to values, got " +
                        py::str(py::type::of(values)).cast<std::string>());
    } else if (PyDict_Update(dict.ptr(), values.ptr()) < 0) {
        throw py::error_already_set();
    }
    Order order;
    bool only_text = true;
    for (const auto& [key, value] : dict) {
        if (!PyUnicode_Check(key.ptr())) {
            throw TypeError("names are text, got " + py::repr(key).cast<std::string>());
        }
        const std::size_t field = find(part, key.cast<std::string>());
        only_text = only_text && PyUnicode_CheckExact(key.ptr());
        order.push_back({py::reinterpret_borrow<py::object>(key), field});
        if (part == Part::Stats && value.is_none()) continue;
        ordered[field] = py::reinterpret_borrow<py::object>(value);
    }
    for (std::size_t f = 0; part == Part::Draws && f < layout_.n_variables(); ++f) {
        if (!ordered[f]) throw ValueError("no value for " + fields_[f].variable().describe());
    }
    if (only_text) known = std::move(order);
}

// The same for an exact dict that has the keys of the last one in their order. False for others;
// some values may be in `ordered` then.
bool PyChain::collect_known(PyObject* values, Part part, const Order& order,
                            std::vector<py::object>& ordered) {
    if (!PyDict_CheckExact(values) ||
        static_cast<std::size_t>(PyDict_GET_SIZE(values)) != order.size()) {
        return false;
    }
    Py_ssize_t position = 0;
    Item item;
    for (const Key& expected : order) {
        if (!PyDict_Next(values, &position, &item.name, &item.value) ||
            !is_same_text(item.name, expected.name.ptr())) {
            return false;
        }
        if (part == Part::Stats && item.value == Py_None) continue;
        ordered[expected.field] = py::reinterpret_borrow<py::object>(item.value);
    }
    return true;
}

std::optional<py::array_t<bool>> flat_mask(const py::object& values) {
    if (PyArray_CheckExact(values.ptr()) || !PyArray_Check(values.ptr())) return std::nullopt;
    const py::module_ ma = py::module_::import("numpy.ma");
    if (!ma.attr("isMaskedArray")(values).cast<bool>()) return std::nullopt;
    const py::object mask = ma.attr("getmaskarray")(values).attr("ravel")();
    return py::array_t<bool>(mask.attr("view")("?"));
}

namespace {

// Whether the value of a stat is masked as a whole. Throws ValueError where it is only in part.
bool is_masked(const py::object& value, const Variable& stat) {
    const auto mask = flat_mask(value);
    if (!mask) return false;
    const auto masked = std::count(mask->data(), mask->data() + mask->size(), true);
    if (masked != 0 && masked != mask->size()) {
        throw ValueError(stat.describe() +
                         " is masked in part; a stat is there, or missing, as a whole");
    }
    return masked != 0;
}

}  // namespace

void PyChain::append_any(const std::vector<py::object>& values, const Rows::Slots* given) {
    std::vector<std::size_t> sizes(given ? 0 : fields_.size() + 1);
    std::vector<RaggedColumn::Taken> taken(given ? 0 : fields_.size());
    std::vector<std::byte> missing(layout_.missing_bytes());
    std::vector<bool> is_there(fields_.size());
    for (std::size_t f = 0; f < fields_.size(); ++f) {
        const bool is_stat = f >= layout_.n_variables();
        is_there[f] = values[f] && !(is_stat && is_masked(values[f], fields_[f].variable()));
        if (!is_there[f]) {
            const std::size_t s = f - layout_.n_variables();
            missing[s / 8] |= std::byte{1} << (s % 8);
        } else if (fields_[f].ragged) {
            taken[f] = fields_[f].ragged->take(values[f]);
            sizes[f] = encoded_bytes(fields_[f].variable(), taken[f].value);
        }
    }
    if (!given) sizes.resize(layout_.columns().size());
    const Rows::Slots slots = given ? *given : chain_->rows().room(1, sizes);
    for (std::size_t f = 0; f < fields_.size(); ++f) {
        if (fields_[f].ragged) {
            if (is_there[f]) encode(fields_[f].variable(), taken[f].value, slots.at(f));
        } else if (is_there[f]) {
            if (!plain_fields_[f].store(values[f].ptr(), slots.at(f))) {
                fields_[f].rigid->store(values[f].ptr(), slots.at(f));
            }
        } else {
            fill_missing(fields_[f].variable(), slots.at(f));
        }
    }
    if (!missing.empty()) {
        std::memcpy(slots.at(layout_.missing_column()), missing.data(), missing.size());
    }
}

// Reading.

py::object PyChain::get(Part part, const std::string& name, const py::slice& slice) const {
    const std::size_t field = find(part, name);
    const auto size = static_cast<py::ssize_t>(chain_->size());
    py::ssize_t start = 0;
    py::ssize_t stop = 0;
    py::ssize_t step = 0;
    if (PySlice_Unpack(slice.ptr(), &start, &stop, &step) < 0) throw py::error_already_set();
    const py::ssize_t count = PySlice_AdjustIndices(size, &start, &stop, step);
    if (count == 0) return read(field, {0, 0, 1});
    const py::ssize_t last = start + (count - 1) * step;
    const auto lowest = static_cast<std::uint64_t>(std::min(start, last));
    const auto end = static_cast<std::uint64_t>(std::max(start, last)) + 1;
    const auto distance = static_cast<std::uint64_t>(step < 0 ? -step : step);
    py::object rows = read(field, {lowest, end, count == 1 ? 1 : distance});
    if (step > 0) return rows;
    return rows[py::slice(std::nullopt, std::nullopt, -1)];
}

py::object PyChain::read(std::size_t f, Slice slice) const {
    const Field& field = fields_[f];
    const Rows& rows = chain_->rows();
    Rows::Span span;
    Rows::Items items;
    std::optional<std::vector<bool>> missing;
    {
        const py::gil_scoped_release released;
        if (field.ragged) {
            items = rows.read_items(f, slice.start, slice.stop, slice.step);
        } else {
            span = rows.read(f, slice.start, slice.stop, slice.step);
        }
        missing = chain_->missing_rows(f, slice);
    }
    return field.give(std::move(span), items, missing.value_or(std::vector<bool>()));
}

py::object PyChain::read_at(std::size_t f, std::uint64_t i) const {
    const Field& field = fields_[f];
    py::array value;
    if (field.ragged) {
        value = field.ragged->give_one(chain_->rows().read_items(f, i, i + 1, 1).items[0]);
    } else {
        Rows::Span span = chain_->rows().read(f, i, i + 1, 1);
        value =
            field.rigid->wrap(std::move(span.owner), const_cast<std::byte*>(span.data), -1, false);
    }
    if (!chain_->missing_rows(f, {i, i + 1, 1})) return value;
    return py::module_::import("numpy.ma").attr("MaskedArray")(value, true);
}

py::dict PyChain::get_at(Part part, py::ssize_t i, const py::object& names) const {
    const auto size = static_cast<py::ssize_t>(chain_->size());
    if (i < -size || i >= size) {
        throw py::index_error("the chain has " + std::to_string(size) +
                              " draws; there is no number " + std::to_string(i));
    }
    const auto row = static_cast<std::uint64_t>(i < 0 ? i + size : i);
    py::dict draw;
    if (names.is_none()) {
        const std::size_t first = part == Part::Draws ? 0 : layout_.n_variables();
        const std::size_t end = part == Part::Draws ? layout_.n_variables() : fields_.size();
        for (std::size_t f = first; f < end; ++f) {
            draw[py::str(fields_[f].variable().name)] = read_at(f, row);
        }
        return draw;
    }
    if (PyUnicode_Check(names.ptr())) throw TypeError("expected a list of names, got one name");
    for (const py::handle name : names) {
        draw[name] = read_at(find(part, name.cast<std::string>()), row);
    }
    return draw;
}

}  // namespace drawstore::bindings
