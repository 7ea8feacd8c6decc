// What a process is called, and whether one of that name is still there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace drawstore::file {

std::uint64_t process_id() noexcept;
std::string host_name();

// Where process ids mean the same as here: until the next boot of this machine, in this container.
// Empty where the system does not say.
std::string process_place();

// When the process of that id began, as its place counts time; 0 where the system does not say.
// Nothing where there is no such process, or where it has ended and only its parent has not looked.
std::optional<std::uint64_t> start_time(std::uint64_t process_id);

}  // namespace drawstore::file
