#include <algorithm>
#include <bit>
#include <string>

#include "drawstore/chain.hpp"
#include "drawstore/error.hpp"

namespace drawstore {
namespace {

void check_shapes(const std::vector<Variable>& fields) {
    for (const Variable& field : fields) {
        for (const std::int64_t extent : field.shape) {
            if (extent < -1) {
                throw ValueError("'" + field.name + "' has a dimension of " +
                                 std::to_string(extent) +
                                 "; it is a length, or -1 where the length differs");
            }
        }
        if (!field.is_ragged()) field.row_bytes();  // which throws where it is too large
    }
}

void check_names(const std::vector<Variable>& variables, const char* what) {
    std::vector<std::string_view> names;
    for (const Variable& variable : variables) {
        if (variable.name.empty()) throw ValueError(std::string("a ") + what + " needs a name");
        names.push_back(variable.name);
    }
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) {
        throw ValueError(std::string("two ") + what + "s have the name '" + std::string(*twice) +
                         "'");
    }
}

std::size_t find(std::span<const Variable> fields, std::string_view name, const char* what) {
    const auto is_it = [name](const Variable& field) { return field.name == name; };
    const auto it = std::find_if(fields.begin(), fields.end(), is_it);
    if (it != fields.end()) return static_cast<std::size_t>(it - fields.begin());
    std::string known;
    for (const Variable& field : fields) known += (known.empty() ? "'" : ", '") + field.name + "'";
    throw NameError(std::string("there is no ") + what + " '" + std::string(name) + "'; there " +
                    (known.empty() ? "are none" : "are " + known));
}

// As far as a column's values may have to be aligned: by the largest power of two in their size.
std::size_t alignment_of(const DType& dtype) {
    if (dtype.itemsize == 0) return 1;
    return std::min<std::size_t>(16, std::size_t{1} << std::countr_zero(dtype.itemsize));
}

}  // namespace

Layout::Layout(const RunMeta& meta) : fields_(meta.variables), n_variables_(meta.variables.size()) {
    check_names(meta.variables, "variable");
    check_names(meta.sample_stats, "sampler stat");
    fields_.insert(fields_.end(), meta.sample_stats.begin(), meta.sample_stats.end());
    const auto is_ragged = [](const Variable& field) { return field.is_ragged(); };
    check_shapes(fields_);
    any_ragged_ = std::any_of(fields_.begin(), fields_.end(), is_ragged);
}

std::vector<Rows::Column> Layout::columns() const {
    std::vector<Rows::Column> columns;
    for (const Variable& field : fields_) {
        if (field.is_ragged()) {
            columns.push_back({0, true, 8});
        } else {
            columns.push_back({field.row_bytes(), false, alignment_of(field.dtype)});
        }
    }
    if (n_stats() > 0) columns.push_back({missing_bytes(), false, 1});
    return columns;
}

std::size_t Layout::find_variable(std::string_view name) const {
    return find(std::span(fields_).first(n_variables_), name, "variable");
}

std::size_t Layout::find_stat(std::string_view name) const {
    return n_variables_ + find(std::span(fields_).subspan(n_variables_), name, "sampler stat");
}

}  // namespace drawstore
