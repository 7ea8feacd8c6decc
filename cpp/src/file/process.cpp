#include "file/process.hpp"

#ifndef _WIN32

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>

namespace drawstore::file {

std::uint64_t process_id() noexcept { return static_cast<std::uint64_t>(getpid()); }

std::string host_name() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string process_place() {
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    std::array<char, 64> processes{};
    if (boot.empty() || readlink("/proc/self/ns/pid", processes.data(), processes.size() - 1) < 0) {
        return "";
    }
    return boot + " " + processes.data();
}

std::optional<std::uint64_t> start_time(std::uint64_t process_id) {
    std::ifstream file("/proc/" + std::to_string(process_id) + "/stat");
    std::string text;
    std::getline(file, text, '\0');
    // Behind the name, which may hold anything: fields 3 (state), 20 (threads) and 22 of proc(5).
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) {
        const bool is_there = kill(static_cast<pid_t>(process_id), 0) == 0 || errno != ESRCH;
        return is_there ? std::optional<std::uint64_t>(0) : std::nullopt;
    }
    std::istringstream fields(text.substr(name_end + 1));
    std::string state;
    fields >> state;
    std::array<std::int64_t, 19> numbers{};  // fields 4 to 22
    for (std::int64_t& number : numbers) fields >> number;
    const bool has_threads = numbers[16] > 1;  // which outlive the first one
    if ((state == "Z" && !has_threads) || state == "X") return std::nullopt;
    return static_cast<std::uint64_t>(numbers[18]);
}

}  // namespace drawstore::file

#else

namespace drawstore::file {

std::uint64_t process_id() noexcept { return 0; }
std::string host_name() { return ""; }
std::string process_place() { return ""; }
std::optional<std::uint64_t> start_time(std::uint64_t) { return 0; }

}  // namespace drawstore::file

#endif
