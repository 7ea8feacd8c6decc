#include "file/names.hpp"

#include <charconv>

namespace drawstore::file {
namespace {

constexpr std::string_view prefix = "chain-";
constexpr std::string_view suffix = ".draws";

constexpr bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

}  // namespace

std::string encode_name(std::string_view name) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    for (const char c : name) {
        if (is_plain(c) || (c == '.' && !text.empty())) {
            text += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            text += '%';
            text += digits[byte >> 4];
            text += digits[byte & 15];
        }
    }
    return text.empty() ? "%" : text;
}

std::string chain_file_name(std::uint32_t chain_number) {
    std::string name(prefix);
    name += std::to_string(chain_number);
    return name.append(suffix);
}

std::optional<std::uint32_t> chain_number_of(std::string_view file_name) {
    if (!file_name.starts_with(prefix) || !file_name.ends_with(suffix)) return std::nullopt;
    const char* const begin = file_name.data() + prefix.size();
    const char* const end = file_name.data() + file_name.size() - suffix.size();
    std::uint32_t number = 0;
    const auto [rest, error] = std::from_chars(begin, end, number);
    if (error != std::errc() || rest != end) return std::nullopt;
    // "chain-07.draws" is not ours.
    return chain_file_name(number) == file_name ? std::optional(number) : std::nullopt;
}

}  // namespace drawstore::file
