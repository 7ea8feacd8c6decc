#include "drawstore/ragged.hpp"

#include <cstring>
#include <string>

#include "drawstore/error.hpp"

namespace drawstore {
namespace {

constexpr std::uint64_t unbounded = std::uint64_t{1} << 62;

bool has_own_shape(const Variable& variable) {
    for (const std::int64_t extent : variable.shape) {
        if (extent < 0) return true;
    }
    return variable.undefined_ndim;
}

bool fits(const Variable& variable, const std::vector<std::int64_t>& shape) {
    for (const std::int64_t extent : shape) {
        if (extent < 0) return false;
    }
    if (variable.undefined_ndim) return true;
    if (shape.size() != variable.shape.size()) return false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (variable.shape[i] >= 0 && shape[i] != variable.shape[i]) return false;
    }
    return true;
}

// The number of elements, or `unbounded` where it is beyond counting.
std::uint64_t n_elements(const std::vector<std::int64_t>& shape) {
    std::uint64_t count = 1;
    for (const std::int64_t extent : shape) {
        if (extent == 0) return 0;
        if (count >= unbounded / static_cast<std::uint64_t>(extent)) count = unbounded;
        if (count < unbounded) count *= static_cast<std::uint64_t>(extent);
    }
    return count;
}

class Writer {
  public:
    explicit Writer(std::byte* target) : target_(target), start_(target) {}

    void put(std::uint64_t number) { put(&number, sizeof number); }
    void put(const void* data, std::size_t size) {
        if (size > 0) std::memcpy(target_, data, size);
        target_ += size;
    }
    void pad() {
        while ((target_ - start_) % 8 != 0) *target_++ = std::byte{0};
    }

  private:
    std::byte* target_;
    std::byte* start_;
};

class Reader {
  public:
    Reader(const Variable& variable, std::span<const std::byte> item)
        : variable_(variable), rest_(item) {}

    std::span<const std::byte> take(std::uint64_t size) {
        if (size > rest_.size()) {
            throw DataError("a stored draw of " + variable_.describe() +
                            " is damaged: it is shorter than it says");
        }
        const auto taken = rest_.first(static_cast<std::size_t>(size));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }

    std::uint64_t number() {
        std::uint64_t value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }

    // Takes `count` things of so many bytes, at least.
    void expect(std::uint64_t count, std::size_t bytes) const {
        if (bytes > 0 && count > rest_.size() / bytes) Reader(*this).take(~std::uint64_t{0});
    }

  private:
    const Variable& variable_;
    std::span<const std::byte> rest_;
};

}  // namespace

std::size_t encoded_bytes(const Variable& variable, const RaggedValue& value) {
    const bool is_text = variable.dtype.kind == Kind::String;
    const std::uint64_t given =
        is_text ? value.texts.size()
                : value.data.size() / std::max<std::size_t>(1, variable.dtype.itemsize);
    if (!fits(variable, value.shape) ||
        (n_elements(value.shape) != given && (is_text || variable.dtype.itemsize > 0))) {
        std::string shape;
        for (const std::int64_t extent : value.shape) shape += std::to_string(extent) + ", ";
        throw ValueError("expected " + variable.describe() + ", got " + std::to_string(given) +
                         " values of shape (" + shape + ")");
    }
    std::size_t bytes = value.data.size() + 8 * value.texts.size();
    if (variable.undefined_ndim) bytes += 8;
    if (has_own_shape(variable)) bytes += 8 * value.shape.size();
    for (const std::string_view text : value.texts) bytes += text.size();
    return (bytes + 7) / 8 * 8;
}

void encode(const Variable& variable, const RaggedValue& value, std::byte* target) {
    Writer out(target);
    if (variable.undefined_ndim) out.put(value.shape.size());
    if (has_own_shape(variable)) {
        for (const std::int64_t extent : value.shape) out.put(static_cast<std::uint64_t>(extent));
    }
    for (const std::string_view text : value.texts) out.put(text.size());
    for (const std::string_view text : value.texts) out.put(text.data(), text.size());
    out.put(value.data.data(), value.data.size());
    out.pad();
}

RaggedValue decode(const Variable& variable, std::span<const std::byte> item) {
    RaggedValue value;
    decode(variable, item, value);
    return value;
}

void decode(const Variable& variable, std::span<const std::byte> item, RaggedValue& value) {
    Reader in(variable, item);
    value.shape.clear();
    value.data = {};
    value.texts.clear();
    if (item.empty()) {  // the stat of a draw that lacks it
        value.shape.assign(variable.undefined_ndim ? 1 : variable.shape.size(), 0);
        return;
    }
    const std::uint64_t ndim = variable.undefined_ndim ? in.number() : variable.shape.size();
    if (has_own_shape(variable)) {
        in.expect(ndim, 8);
        for (std::uint64_t i = 0; i < ndim; ++i) {
            value.shape.push_back(static_cast<std::int64_t>(in.number()));
        }
    } else {
        value.shape = variable.shape;
    }
    if (!fits(variable, value.shape)) {
        throw DataError("a stored draw of " + variable.describe() +
                        " is damaged: its shape is not");
    }
    const std::uint64_t count = n_elements(value.shape);
    if (variable.dtype.kind == Kind::String) {
        in.expect(count, 8);
        Reader lengths(variable, in.take(8 * count));
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto text = in.take(lengths.number());
            value.texts.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
        }
    } else {
        in.expect(count, variable.dtype.itemsize);
        value.data = in.take(count * variable.dtype.itemsize);
    }
}

}  // namespace drawstore
