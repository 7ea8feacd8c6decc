// Names of files for names that may have any characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drawstore::file {

// Letters, digits, "-", "_" and points within a name stay, each other byte becomes % and its value
// in hexadecimal. The result is never empty and never begins with a point.
std::string encode_name(std::string_view name);

// "chain-<number>.draws", and the number of such a name.
std::string chain_file_name(std::uint32_t chain_number);
std::optional<std::uint32_t> chain_number_of(std::string_view file_name);

}  // namespace drawstore::file
