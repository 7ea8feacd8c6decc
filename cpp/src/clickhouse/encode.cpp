#include <algorithm>
#include <new>
#include <string>

#include "clickhouse/half.hpp"
#include "clickhouse/native.hpp"
#include "clickhouse/schema.hpp"
#include "drawstore/error.hpp"
#include "drawstore/ragged.hpp"
#include "file/bytes.hpp"
#include "file/copies.hpp"
#include "memory/pages.hpp"

namespace drawstore {

using clickhouse::Column;
using clickhouse::Field;
using clickhouse::Schema;

namespace clickhouse {
namespace {

constexpr std::size_t offset_bytes = 8;
constexpr std::size_t longest_start = 2 * longest_count;  // of a block

std::size_t head_bytes(const Column& column) {
    return 2 * longest_count + column.name.size() + column.type.size();
}

std::size_t head_bytes(const Schema& schema) {
    std::size_t bytes = longest_start + head_bytes(schema.chain) + head_bytes(schema.draw);
    for (const Field& field : schema.fields) {
        bytes += head_bytes(field.values);
        if (field.shape) bytes += head_bytes(*field.shape);
    }
    return schema.missing ? bytes + head_bytes(*schema.missing) : bytes;
}

// Bytes that a row takes at most, without those of its ragged items.
std::size_t row_bytes(const Schema& schema) {
    std::size_t bytes = sizeof(std::uint32_t) + sizeof(std::uint64_t);
    for (std::size_t f = 0; f < schema.fields.size(); ++f) {
        const Field& field = schema.fields[f];
        if (field.values.is_array) bytes += offset_bytes;
        if (field.shape) bytes += offset_bytes;
        if (!schema.layout.fields()[f].is_ragged()) {
            bytes += static_cast<std::size_t>(*field.count) * field.element.bytes;
        } else if (field.count) {  // texts that a row may lack, of one byte each
            bytes += static_cast<std::size_t>(*field.count);
        }
    }
    if (schema.missing) bytes += offset_bytes + schema.layout.n_stats() * sizeof(std::uint32_t);
    return bytes;
}

// What an item takes in a block, at most: its counts have 8 bytes where those of a block have
// fewer.
std::size_t item_bytes(const Field& field, std::span<const std::byte> item) {
    return field.element.is_widened_half ? 2 * item.size() : item.size();
}

// Memory that is used again when a block is gone: new pages cost more than writing to them.
std::shared_ptr<std::byte> block_memory(std::size_t bytes, std::shared_ptr<Pages>& pages) {
    pages = std::make_shared<Pages>(Pages::reserve(bytes));
    if (*pages) return {pages, pages->data()};
    return file::allocate(1, bytes);
}

class Encoder {
  public:
    Encoder(const Schema& schema, const Chain& chain, std::uint64_t first, std::uint64_t stop)
        : schema_(schema), chain_(chain), first_(first), stop_(stop) {
        const std::size_t fields = schema.fields.size();
        std::size_t bytes = head_bytes(schema) + n_rows() * row_bytes(schema);
        items_.resize(fields);
        for (std::size_t f = 0; f < fields; ++f) {
            if (!variable(f).is_ragged()) continue;
            items_[f] = chain.rows().read_items(f, first, stop, 1);
            for (const auto item : items_[f].items) bytes += item_bytes(schema.fields[f], item);
        }
        memory_ = block_memory(bytes, pages_);
        out_ = Writer(memory_.get() + longest_start);
    }

    std::span<const std::byte> run() {
        put_numbers();
        for (std::size_t f = 0; f < schema_.fields.size(); ++f) {
            if (variable(f).is_ragged()) {
                put_items(f);
            } else {
                put_rows(f);
            }
        }
        copy_rows();
        put_missing();
        return with_start();
    }

    std::shared_ptr<const std::byte> memory() const { return memory_; }

  private:
    std::uint64_t n_rows() const { return stop_ - first_; }
    const Variable& variable(std::size_t f) const { return schema_.layout.fields()[f]; }

    void head(const Column& column) {
        out_.text(column.name);
        out_.text(column.type);
        ++n_columns_;
    }

    std::byte* room_for_offsets() {
        return out_.skip(static_cast<std::size_t>(n_rows()) * offset_bytes);
    }

    void put_numbers() {
        head(schema_.chain);
        const std::uint32_t number = chain_.chain_number();
        for (std::uint64_t i = 0; i < n_rows(); ++i) out_.bytes(&number, sizeof number);
        head(schema_.draw);
        for (std::uint64_t row = first_; row < stop_; ++row) out_.bytes(&row, sizeof row);
    }

    // Only notes where the rows go: they are copied together.
    void put_rows(std::size_t f) {
        const Field& field = schema_.fields[f];
        const std::uint64_t count = *field.count;
        head(field.values);
        if (field.values.is_array) {
            std::byte* const offsets = room_for_offsets();
            for (std::uint64_t i = 0; i < n_rows(); ++i) {
                file::store(offsets + i * offset_bytes, (i + 1) * count);
            }
        }
        const std::size_t bytes = static_cast<std::size_t>(n_rows() * count) * field.element.bytes;
        std::byte* place = out_.skip(bytes);
        if (field.element.is_widened_half) {  // into the second half, to be widened from there
            widen_.push_back({place, static_cast<std::size_t>(n_rows() * count)});
            place += bytes / 2;
        }
        if (bytes > 0) targets_.push_back({f, place});
    }

    void copy_rows() {
        bits_.resize(static_cast<std::size_t>(n_rows()) * schema_.layout.missing_bytes());
        if (!bits_.empty()) targets_.push_back({schema_.layout.missing_column(), bits_.data()});
        chain_.rows().copy(first_, stop_, targets_);
        for (const auto& [place, n] : widen_) widen(place, place + 2 * n, n);
    }

    static void widen(std::byte* to, const std::byte* from, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            file::store(to + 4 * i, widened(file::load<std::uint16_t>(from + 2 * i)));
        }
    }

    void open(std::size_t f, std::span<const std::byte> item) {
        decode(variable(f), item, value_);
        const std::optional<std::uint64_t> count = schema_.fields[f].count;
        if (count) value_.texts.resize(static_cast<std::size_t>(*count));  // the row lacks them
    }

    void put_items(std::size_t f) {
        const Field& field = schema_.fields[f];
        head(field.values);
        std::byte* offsets = field.values.is_array ? room_for_offsets() : nullptr;
        std::uint64_t n_elements = 0;
        for (const auto item : items_[f].items) {
            open(f, item);
            for (const std::string_view text : value_.texts) out_.text(text);
            if (field.element.is_widened_half) {
                const std::size_t n = value_.data.size() / 2;
                widen(out_.skip(4 * n), value_.data.data(), n);
                n_elements += n;
            } else if (value_.texts.empty()) {
                out_.bytes(value_.data.data(), value_.data.size());
                n_elements += value_.data.size() / std::max<std::size_t>(1, field.element.bytes);
            } else {
                n_elements += value_.texts.size();
            }
            if (offsets) file::store(offsets, n_elements);
            if (offsets) offsets += offset_bytes;
        }
        if (field.shape) put_shapes(f);
    }

    void put_shapes(std::size_t f) {
        head(*schema_.fields[f].shape);
        std::byte* offsets = room_for_offsets();
        std::uint64_t n_extents = 0;
        for (const auto item : items_[f].items) {
            value_.shape.clear();
            if (!item.empty()) open(f, item);  // else the row lacks it
            for (const std::int64_t extent : value_.shape) out_.bytes(&extent, sizeof extent);
            n_extents += value_.shape.size();
            file::store(offsets, n_extents);
            offsets += offset_bytes;
        }
    }

    void put_missing() {
        const auto is_zero = [](std::byte bits) { return bits == std::byte{0}; };
        if (std::all_of(bits_.begin(), bits_.end(), is_zero)) return;
        head(*schema_.missing);
        std::byte* const offsets = room_for_offsets();
        const std::size_t bytes = schema_.layout.missing_bytes();
        std::uint64_t n_missing = 0;
        for (std::uint64_t i = 0; i < n_rows(); ++i) {
            const std::byte* const row = bits_.data() + i * bytes;
            for (std::uint32_t stat = 0; stat < schema_.layout.n_stats(); ++stat) {
                if (is_zero(row[stat / 8] >> (stat % 8) & std::byte{1})) continue;
                out_.bytes(&stat, sizeof stat);
                ++n_missing;
            }
            file::store(offsets + i * offset_bytes, n_missing);
        }
    }

    // How many columns there are is known last, and said first.
    std::span<const std::byte> with_start() {
        std::byte start[longest_start];
        Writer writer(start);
        writer.count(n_columns_);
        writer.count(n_rows());
        const auto bytes = static_cast<std::size_t>(writer.at() - start);
        std::byte* const begin = memory_.get() + longest_start - bytes;
        std::copy(start, writer.at(), begin);
        if (*pages_) pages_->set_touched(static_cast<std::size_t>(out_.at() - memory_.get()));
        return {begin, out_.at()};
    }

    const Schema& schema_;
    const Chain& chain_;
    const std::uint64_t first_;
    const std::uint64_t stop_;
    std::vector<Rows::Items> items_;  // by field
    std::shared_ptr<Pages> pages_;
    std::shared_ptr<std::byte> memory_;
    Writer out_{nullptr};
    std::uint64_t n_columns_ = 0;
    std::vector<Rows::Target> targets_;
    struct Halves {
        std::byte* place;
        std::size_t n;
    };
    std::vector<Halves> widen_;
    std::vector<std::byte> bits_;  // of stats that rows lack
    RaggedValue value_;            // the item at hand
};

void check_rows(const Schema& schema, const Chain& chain, std::uint64_t first, std::uint64_t stop) {
    const Layout& layout = chain.layout();
    if (layout.n_variables() != schema.layout.n_variables() ||
        layout.fields() != schema.layout.fields()) {
        throw ValueError("the chain has other variables than the table");
    }
    if (first > stop || stop > chain.size()) {
        throw ValueError("the chain has " + std::to_string(chain.size()) +
                         " draws, and not those from " + std::to_string(first) + " to " +
                         std::to_string(stop));
    }
}

}  // namespace
}  // namespace clickhouse

std::uint64_t ClickHouseTable::rows_fitting(const Chain& chain, std::uint64_t first,
                                            std::uint64_t stop, std::size_t max_bytes) const {
    clickhouse::check_rows(*schema_, chain, first, stop);
    stop = std::min(stop, first + std::min(most_rows, stop - first));
    const std::size_t head = clickhouse::head_bytes(*schema_);
    const std::size_t fixed = clickhouse::row_bytes(*schema_);
    std::size_t left = max_bytes - std::min(max_bytes, head);
    const std::uint64_t at_least = std::min<std::uint64_t>(1, stop - first);
    if (!layout().any_ragged())
        return std::clamp<std::uint64_t>(left / fixed, at_least, stop - first);

    std::vector<std::size_t> bytes;
    for (std::uint64_t row = first; row < stop; row += bytes.size()) {
        // Twice as many as before, so that not many are read that do not fit.
        const std::uint64_t n = std::min(stop - row, row - first + 1);
        bytes.assign(static_cast<std::size_t>(n), fixed);
        for (std::size_t f = 0; f < schema_->fields.size(); ++f) {
            if (!layout().fields()[f].is_ragged()) continue;
            const Rows::Items items = chain.rows().read_items(f, row, row + n, 1);
            for (std::size_t i = 0; i < bytes.size(); ++i) {
                bytes[i] += clickhouse::item_bytes(schema_->fields[f], items.items[i]);
            }
        }
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            if (bytes[i] > left) return std::max(at_least, row + i - first);
            left -= bytes[i];
        }
    }
    return stop - first;
}

ClickHouseTable::Block ClickHouseTable::encode(const Chain& chain, std::uint64_t first,
                                               std::uint64_t stop) const {
    clickhouse::check_rows(*schema_, chain, first, stop);
    clickhouse::Encoder encoder(*schema_, chain, first, stop);
    Block block;
    block.bytes_ = encoder.run();
    block.memory_ = encoder.memory();
    block.first_ = first;
    block.stop_ = stop;
    return block;
}

}  // namespace drawstore
