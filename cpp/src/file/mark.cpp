#include "file/mark.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <span>
#include <string_view>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "file/bytes.hpp"
#include "file/process.hpp"

namespace drawstore::file {
namespace {

constexpr std::string_view magic = "drawlock";
constexpr std::uint32_t version = 1;
constexpr std::size_t summed_from = 16;
constexpr std::size_t host_at = 64;
constexpr std::size_t place_at = 320;

void store_text(std::span<std::byte> bytes, std::size_t length_at, std::size_t at, std::size_t end,
                const std::string& text) {
    const std::size_t length = std::min(text.size(), end - at);
    store(bytes.data() + length_at, static_cast<std::uint16_t>(length));
    std::memcpy(bytes.data() + at, text.data(), length);
}

std::string load_text(std::span<const std::byte> bytes, std::size_t length_at, std::size_t at,
                      std::size_t end) {
    const std::size_t length = load<std::uint16_t>(bytes.data() + length_at);
    return {reinterpret_cast<const char*>(bytes.data() + at), std::min(length, end - at)};
}

std::optional<Mark> decode(std::span<const std::byte, mark_bytes> bytes) {
    if (std::memcmp(bytes.data(), magic.data(), magic.size()) != 0 ||
        load<std::uint32_t>(bytes.data() + 8) != version ||
        load<std::uint32_t>(bytes.data() + 12) != crc32c(bytes.subspan(summed_from))) {
        return std::nullopt;
    }
    const std::byte* const at = bytes.data();
    return Mark{.token = load<std::uint64_t>(at + 16),
                .program = load<std::uint64_t>(at + 24),
                .process_id = load<std::uint64_t>(at + 32),
                .started = load<std::uint64_t>(at + 40),
                .beat = load<std::uint64_t>(at + 48),
                .interval = load<std::uint32_t>(at + 56),
                .host = load_text(bytes, 60, host_at, place_at),
                .place = load_text(bytes, 62, place_at, mark_bytes)};
}

}  // namespace

std::uint64_t random_number() {
    std::random_device random;
    return std::uint64_t{random()} << 32 | random();
}

std::string Mark::holder() const {
    if (host.empty()) return "a process that its lock file does not name";
    return "process " + std::to_string(process_id) + " on host '" + host + "'";
}

Mark make_mark(std::uint64_t program, std::uint32_t interval) {
    const std::uint64_t id = process_id();
    return {.token = random_number(),
            .program = program,
            .process_id = id,
            .started = start_time(id).value_or(0),
            .interval = interval,
            .host = host_name(),
            .place = process_place()};
}

std::array<std::byte, mark_bytes> encode(const Mark& mark) {
    std::array<std::byte, mark_bytes> bytes{};
    std::byte* const at = bytes.data();
    std::memcpy(at, magic.data(), magic.size());
    store(at + 8, version);
    store(at + 16, mark.token);
    store(at + 24, mark.program);
    store(at + 32, mark.process_id);
    store(at + 40, mark.started);
    store(at + 48, mark.beat);
    store(at + 56, mark.interval);
    store_text(bytes, 60, host_at, place_at, mark.host);
    store_text(bytes, 62, place_at, mark_bytes, mark.place);
    store(at + 12, crc32c(std::span(bytes).subspan(summed_from)));
    return bytes;
}

Mark read_mark(const File& file) {
    std::array<std::byte, mark_bytes> bytes{};
    const std::size_t n = file.read(0, bytes);
    if (n == bytes.size()) {
        if (auto mark = decode(bytes)) return *mark;
    }
    const std::uint32_t sum = crc32c(std::span(bytes).first(n));
    const std::string name = file.path().string();
    const std::uint64_t program = std::uint64_t{crc32c(std::as_bytes(std::span(name)))} << 32 | sum;
    return Mark{.token = sum, .program = program};
}

std::optional<Mark> read_mark(const std::filesystem::path& path) {
    try {
        return read_mark(File::open_to_read(path));
    } catch (const SystemError& error) {
        // ESTALE: another machine has removed it.
        if (error.code() == ENOENT || error.code() == ESTALE) return std::nullopt;
        throw;
    }
}

std::optional<bool> is_dead(const Mark& mark, std::uint64_t own_program) {
    if (mark.program == own_program) return false;
    if (mark.host.empty() || mark.host != host_name() || mark.place != process_place()) {
        return std::nullopt;
    }
    if (mark.process_id == process_id()) return true;  // of what this process was before an exec
    const auto started = start_time(mark.process_id);
    return !started || (*started != 0 && mark.started != 0 && *started != mark.started);
}

}  // namespace drawstore::file
