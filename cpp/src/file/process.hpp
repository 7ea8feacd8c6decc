// What a process is called.
#pragma once

#include <cstdint>
#include <string>

namespace drawstore::file {

std::uint64_t process_id() noexcept;
std::string host_name();

}  // namespace drawstore::file
