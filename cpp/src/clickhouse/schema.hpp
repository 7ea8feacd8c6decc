// How the fields of a run lie in the columns of its table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drawstore/clickhouse.hpp"

namespace drawstore::clickhouse {

// A column as it is in a Native block: elements of a fixed size, or text; or arrays of them.
struct Column : ClickHouseTable::Column {
    bool is_array;
    std::size_t element_bytes;  // 0: text
};

// What the values of a dtype are in a column.
struct Element {
    std::string type;
    std::size_t bytes;             // of one; 0: text
    std::size_t per_value = 1;     // how many a value is: 2 where it is complex
    bool is_widened_half = false;  // float16 as Float32
};

struct Field {
    Element element;
    Column values;
    std::optional<Column> shape;         // of each draw, where the length does not tell it
    std::optional<std::uint64_t> count;  // elements in each row, where it is always the same
};

struct Schema {
    explicit Schema(const RunMeta& meta);

    Layout layout;
    Column chain;
    Column draw;
    std::vector<Field> fields;  // as in the layout
    std::optional<Column> missing;
};

}  // namespace drawstore::clickhouse
