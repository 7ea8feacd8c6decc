#include "file/run_meta.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "file/bytes.hpp"
#include "file/file.hpp"

namespace drawstore::file {
namespace {

constexpr std::string_view magic = "drawmeta";
constexpr std::uint32_t version = 1;
constexpr std::size_t head_bytes = 24;
constexpr std::uint8_t deterministic_flag = 1;
constexpr std::uint8_t undefined_ndim_flag = 2;

class Writer {
  public:
    template <typename T>
    void put(T value) {
        bytes_.resize(bytes_.size() + sizeof value);
        store(bytes_.data() + bytes_.size() - sizeof value, value);
    }
    void put_text(std::string_view text) {
        put(std::uint64_t{text.size()});
        const auto bytes = std::as_bytes(std::span(text));
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }
    void put_variables(const std::vector<Variable>& variables) {
        put(std::uint64_t{variables.size()});
        for (const Variable& variable : variables) {
            put_text(variable.name);
            put(static_cast<std::uint8_t>(variable.dtype.kind));
            put(std::uint64_t{variable.dtype.itemsize});
            put_text(variable.dtype.descriptor);
            put(std::uint64_t{variable.shape.size()});
            for (const std::int64_t extent : variable.shape) put(extent);
            put(std::uint64_t{variable.dims.size()});
            for (const std::string& dim : variable.dims) put_text(dim);
            put(static_cast<std::uint8_t>((variable.is_deterministic ? deterministic_flag : 0) |
                                          (variable.undefined_ndim ? undefined_ndim_flag : 0)));
        }
    }
    std::vector<std::byte>& bytes() { return bytes_; }

  private:
    std::vector<std::byte> bytes_;
};

// Never reads behind the end: false once there was less than was asked for.
class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}

    template <typename T>
    T get() {
        if (left_.size() < sizeof(T)) return fail(), T{};
        const T value = load<T>(left_.data());
        left_ = left_.subspan(sizeof(T));
        return value;
    }
    std::string get_text() {
        const auto n = get<std::uint64_t>();
        if (n > left_.size()) return fail(), std::string();
        std::string text(reinterpret_cast<const char*>(left_.data()), n);
        left_ = left_.subspan(n);
        return text;
    }
    std::vector<Variable> get_variables() {
        std::vector<Variable> variables;
        for (auto n = get<std::uint64_t>(); n > 0 && whole_; --n) {
            Variable variable;
            variable.name = get_text();
            const auto kind = get<std::uint8_t>();
            if (kind > static_cast<std::uint8_t>(Kind::Opaque)) fail();
            variable.dtype.kind = static_cast<Kind>(kind);
            variable.dtype.itemsize = get<std::uint64_t>();
            variable.dtype.descriptor = get_text();
            for (auto i = get<std::uint64_t>(); i > 0 && whole_; --i) {
                variable.shape.push_back(get<std::int64_t>());
            }
            for (auto i = get<std::uint64_t>(); i > 0 && whole_; --i) {
                variable.dims.push_back(get_text());
            }
            const auto flags = get<std::uint8_t>();
            variable.is_deterministic = flags & deterministic_flag;
            variable.undefined_ndim = flags & undefined_ndim_flag;
            variables.push_back(std::move(variable));
        }
        return variables;
    }
    bool is_whole() const { return whole_ && left_.empty(); }

  private:
    void fail() {
        whole_ = false;
        left_ = {};
    }

    std::span<const std::byte> left_;
    bool whole_ = true;
};

[[noreturn]] void fail_damaged(const std::filesystem::path& path, const char* what) {
    throw DataError("'" + path.string() + "' is damaged: " + what +
                    "; restore it from a copy, or delete the folder");
}

}  // namespace

void write_run_meta(const std::filesystem::path& folder, const RunMeta& meta, Time created_at) {
    Writer writer;
    writer.bytes().resize(head_bytes);
    writer.put(std::int64_t{created_at.time_since_epoch().count()});
    writer.put_text(meta.rid);
    writer.put_variables(meta.variables);
    writer.put_variables(meta.sample_stats);
    writer.put_text(meta.message);
    std::vector<std::byte>& bytes = writer.bytes();
    const std::span body = std::span(bytes).subspan(head_bytes);
    std::memcpy(bytes.data(), magic.data(), magic.size());
    store(bytes.data() + 8, version);
    store(bytes.data() + 16, std::uint64_t{body.size()});
    store(bytes.data() + 12, crc32c(std::span(bytes).subspan(16)));

    File file = File::create(folder / run_meta_name);
    file.write(0, bytes);
    file.sync();
}

StoredMeta read_run_meta(const std::filesystem::path& folder) {
    const File file = File::open_to_read(folder / run_meta_name);
    std::vector<std::byte> bytes(file.size());
    bytes.resize(file.read(0, bytes));
    if (bytes.size() < 12 || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
        throw DataError("'" + file.path().string() +
                        "' is not the metadata of a run of drawstore: it does not begin with '" +
                        std::string(magic) + "'; move the folder elsewhere, or restore the file");
    }
    if (const auto found = load<std::uint32_t>(bytes.data() + 8); found != version) {
        throw DataError("'" + file.path().string() + "' has version " + std::to_string(found) +
                        " of the format; this drawstore reads version " + std::to_string(version) +
                        ": install a newer one");
    }
    if (bytes.size() < head_bytes) fail_damaged(file.path(), "it ends within its head");
    const std::span all(bytes);
    if (load<std::uint64_t>(bytes.data() + 16) != bytes.size() - head_bytes) {
        fail_damaged(file.path(), "it does not have the size that is written in it");
    }
    if (load<std::uint32_t>(bytes.data() + 12) != crc32c(all.subspan(16))) {
        fail_damaged(file.path(), "it does not have the checksum that is written in it");
    }
    Reader reader(all.subspan(head_bytes));
    StoredMeta stored;
    stored.created_at = Time(Time::duration(reader.get<std::int64_t>()));
    stored.meta.rid = reader.get_text();
    stored.meta.variables = reader.get_variables();
    stored.meta.sample_stats = reader.get_variables();
    stored.meta.message = reader.get_text();
    if (!reader.is_whole()) fail_damaged(file.path(), "its parts do not have their sizes");
    return stored;
}

}  // namespace drawstore::file
