#include "clickhouse/schema.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "drawstore/error.hpp"
#include "file/bytes.hpp"

namespace drawstore::clickhouse {
namespace {

constexpr std::size_t longest_fixed_string = 256;  // that newer servers do not call suspicious
constexpr std::size_t longest_name = 200;          // as a file's name, with room for endings

bool is_time(const DType& dtype) {
    const std::string_view name = dtype.descriptor;
    return dtype.itemsize == 8 &&
           (name.starts_with("datetime64[") || name.starts_with("timedelta64["));
}

Element element_of(const DType& dtype) {
    switch (dtype.kind) {
        case Kind::Bool:
        case Kind::UInt8:
            return {"UInt8", 1};
        case Kind::UInt16:
            return {"UInt16", 2};
        case Kind::UInt32:
            return {"UInt32", 4};
        case Kind::UInt64:
            return {"UInt64", 8};
        case Kind::Int8:
            return {"Int8", 1};
        case Kind::Int16:
            return {"Int16", 2};
        case Kind::Int32:
            return {"Int32", 4};
        case Kind::Int64:
            return {"Int64", 8};
        case Kind::Float16:
            return {"Float32", 4, 1, true};
        case Kind::Float32:
            return {"Float32", 4};
        case Kind::Float64:
            return {"Float64", 8};
        case Kind::Complex64:
            return {"Float32", 4, 2};
        case Kind::Complex128:
            return {"Float64", 8, 2};
        case Kind::String:
            return {"String", 0};
        case Kind::Opaque:
            break;
    }
    if (is_time(dtype)) return {"Int64", 8};
    if (dtype.itemsize == 0 || dtype.itemsize > longest_fixed_string) {
        return {"UInt8", 1, dtype.itemsize};
    }
    return {"FixedString(" + std::to_string(dtype.itemsize) + ")", dtype.itemsize};
}

Column make_column(std::string name, const std::string& type, bool is_array, std::size_t bytes) {
    return {{std::move(name), is_array ? "Array(" + type + ")" : type}, is_array, bytes};
}

// Servers keep a column in files of its name, in which three bytes stand for one that is no letter,
// digit or underscore.
std::size_t bytes_in_file_name(char c) {
    const bool is_word =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    return is_word ? 1 : 3;
}

// The name of a field as far as a server takes it: a dot would make the column part of a Nested
// one, and names that begin with an underscore are the server's own.
std::string usable(std::string name) {
    std::replace(name.begin(), name.end(), '.', '_');
    if (name.front() == '_') name = 'v' + name;
    std::size_t bytes = 0;
    std::size_t end = 0;
    while (end < name.size() && bytes <= longest_name) bytes += bytes_in_file_name(name[end++]);
    if (bytes > longest_name) {
        const auto is_within_character = [&] {
            return (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80;
        };
        --end;
        while (end > 0 && is_within_character()) --end;
        name.resize(end);
    }
    return name;
}

// Names that are all different. Who comes later gets a number.
class Names {
  public:
    std::string take(const std::string& wanted) {
        std::string name = wanted;
        for (int number = 2; !taken_.insert(name).second; ++number) {
            name = wanted + "_" + std::to_string(number);
        }
        return name;
    }

  private:
    std::set<std::string> taken_;
};

std::optional<std::uint64_t> fixed_count(const Variable& variable, const Element& element) {
    std::uint64_t count = element.per_value;
    for (const std::int64_t extent : variable.shape) {
        if (extent < 0) return std::nullopt;
        count *= static_cast<std::uint64_t>(extent);
    }
    return variable.undefined_ndim ? std::nullopt : std::optional(count);
}

Field make_field(const Variable& variable, Names& names) {
    const Element element = element_of(variable.dtype);
    const std::optional<std::uint64_t> count = fixed_count(variable, element);
    const bool is_scalar = count && variable.shape.empty() && element.per_value == 1;
    const std::string name = names.take(usable(variable.name));
    Field field{element, make_column(name, element.type, !is_scalar, element.bytes), {}, count};
    const bool is_vector = !variable.undefined_ndim && variable.shape.size() == 1;
    if (!count && !(is_vector && element.per_value > 0)) {
        field.shape = make_column(names.take(name + "_shape"), "UInt64", true, 8);
    }
    return field;
}

}  // namespace

Schema::Schema(const RunMeta& meta)
    : layout(meta),
      chain(make_column("chain", "UInt32", false, 4)),
      draw(make_column("draw", "UInt64", false, 8)) {
    if (!file::is_little_endian) {
        throw StateError("blocks for ClickHouse are made on little-endian machines only");
    }
    Names names;
    for (const char* const own : {"chain", "draw", "missing"}) names.take(own);
    for (const Variable& variable : layout.fields()) fields.push_back(make_field(variable, names));
    if (layout.n_stats() > 0) missing = make_column("missing", "UInt32", true, 4);
}

}  // namespace drawstore::clickhouse

namespace drawstore {

using clickhouse::Schema;

ClickHouseTable::ClickHouseTable(const RunMeta& meta)
    : schema_(std::make_shared<const Schema>(meta)) {}

const Layout& ClickHouseTable::layout() const noexcept { return schema_->layout; }

std::vector<ClickHouseTable::Column> ClickHouseTable::columns() const {
    std::vector<Column> columns{schema_->chain, schema_->draw};
    for (const clickhouse::Field& field : schema_->fields) {
        columns.push_back(field.values);
        if (field.shape) columns.push_back(*field.shape);
    }
    if (schema_->missing) columns.push_back(*schema_->missing);
    return columns;
}

std::vector<ClickHouseTable::Column> ClickHouseTable::columns_of(
    std::span<const std::size_t> fields) const {
    std::vector<Column> columns{schema_->draw};
    bool any_stat = false;
    for (const std::size_t f : fields) {
        const clickhouse::Field& field = schema_->fields.at(f);
        columns.push_back(field.values);
        if (field.shape) columns.push_back(*field.shape);
        any_stat = any_stat || f >= schema_->layout.n_variables();
    }
    if (any_stat) columns.push_back(*schema_->missing);
    return columns;
}

}  // namespace drawstore
