#include "file/process.hpp"

#ifndef _WIN32

#include <unistd.h>

#include <array>

namespace drawstore::file {

std::uint64_t process_id() noexcept { return static_cast<std::uint64_t>(getpid()); }

std::string host_name() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace drawstore::file

#else

namespace drawstore::file {

std::uint64_t process_id() noexcept { return 0; }
std::string host_name() { return ""; }

}  // namespace drawstore::file

#endif
