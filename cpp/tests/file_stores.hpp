// Data files whose rows say themselves what they must be.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "drawstore/meta.hpp"
#include "drawstore/rows.hpp"

namespace file_stores {

namespace fs = std::filesystem;

// A folder that goes with the object.
class Folder {
  public:
    Folder() : path_(fs::temp_directory_path() / ("drawstore-" + drawstore::fresh_rid())) {
        fs::create_directories(path_);
    }
    ~Folder() { fs::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    fs::path operator/(const std::string& name) const { return path_ / name; }
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

inline std::vector<std::byte> contents(const fs::path& path) {
    std::vector<std::byte> bytes(fs::file_size(path));
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}

inline void write_contents(const fs::path& path, std::span<const std::byte> bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

// Byte i of a value differs between rows and columns.
inline std::byte expected(std::uint64_t row, std::size_t column, std::size_t i) {
    return static_cast<std::byte>((row * 131 + column * 17 + i * 3 + (row >> 8)) & 0xFF);
}
inline std::size_t item_bytes(std::uint64_t row, std::size_t column, std::size_t longest) {
    return (row * 7 + column * 3) % (longest + 1);
}

inline std::vector<drawstore::Rows::Column> rigid_columns() {
    std::vector<drawstore::Rows::Column> columns;
    for (const std::size_t bytes : {8, 1, 2, 4, 12, 16, 0, 24, 3000, 7}) {
        columns.push_back({bytes, false, 1});
    }
    return columns;
}

inline std::vector<drawstore::Rows::Column> ragged_columns() {
    return {{8, false, 8}, {0, true, 8}, {3, false, 1}, {0, true, 16}};
}

// Appends rows as one append.
inline void append(drawstore::Rows& rows, std::uint64_t n, std::size_t longest = 40) {
    rows.begin();
    const auto& columns = rows.columns();
    std::uint64_t row = rows.size();
    bool ragged = false;
    for (const auto& column : columns) ragged = ragged || column.ragged;
    for (std::uint64_t done = 0; done < n;) {
        std::vector<std::size_t> sizes(ragged ? columns.size() : 0);
        for (std::size_t c = 0; c < sizes.size(); ++c) {
            if (columns[c].ragged) sizes[c] = item_bytes(row, c, longest);
        }
        const auto slots = rows.room(n - done, sizes);
        for (std::uint64_t i = 0; i < slots.n_rows; ++i, ++row) {
            for (std::size_t c = 0; c < columns.size(); ++c) {
                const std::size_t bytes = columns[c].ragged ? sizes[c] : columns[c].bytes;
                std::byte* const to = slots.at(c, i);
                for (std::size_t k = 0; k < bytes; ++k) to[k] = expected(row, c, k);
            }
        }
        done += slots.n_rows;
    }
    rows.commit();
}

// Whether all rows of the slice are what append() made of them.
inline bool are_right(const drawstore::Rows& rows, std::uint64_t start, std::uint64_t stop,
                      std::uint64_t step = 1, std::size_t longest = 40) {
    for (std::size_t c = 0; c < rows.columns().size(); ++c) {
        std::vector<std::span<const std::byte>> values;
        drawstore::Rows::Span span;
        drawstore::Rows::Items items;
        if (rows.columns()[c].ragged) {
            items = rows.read_items(c, start, stop, step);
            values = items.items;
        } else {
            span = rows.read(c, start, stop, step);
            for (std::uint64_t i = 0; i < span.n_rows; ++i) {
                values.emplace_back(span.data + i * span.stride, rows.columns()[c].bytes);
            }
        }
        std::size_t i = 0;
        for (std::uint64_t row = start; row < stop; row += step, ++i) {
            if (i >= values.size()) return false;
            if (rows.columns()[c].ragged && values[i].size() != item_bytes(row, c, longest)) {
                return false;
            }
            for (std::size_t k = 0; k < values[i].size(); ++k) {
                if (values[i][k] != expected(row, c, k)) return false;
            }
        }
        if (i != values.size()) return false;
    }
    return true;
}

inline bool are_right(const drawstore::Rows& rows) { return are_right(rows, 0, rows.size()); }

}  // namespace file_stores
