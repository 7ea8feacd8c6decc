#include "stan/number.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <system_error>
#include <version>

#ifndef _WIN32
#include <locale.h>
#include <stdlib.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif
#endif

namespace drawstore::stan {
namespace {

// from_chars knows no plus.
const char* skip_plus(const char* text, const char* end) noexcept {
    return end - text > 1 && *text == '+' && text[1] != '-' ? text + 1 : text;
}

#ifdef __cpp_lib_to_chars

// What a number stands for that is no finite double, and not zero: the place of its first digit
// says whether it is too large or too small.
double beyond_range(const char* text, const char* end) noexcept {
    const bool is_negative = *text == '-';
    text += is_negative;
    std::int64_t place = 0;
    bool begun = false;
    bool in_fraction = false;
    for (; text < end && *text != 'e' && *text != 'E'; ++text) {
        if (*text == '.') {
            in_fraction = true;
            continue;
        }
        begun = begun || *text != '0';
        if (begun && !in_fraction) ++place;
        if (!begun && in_fraction) --place;
    }
    std::int64_t exponent = 0;
    if (text < end) {
        const char* const first = text + 1 + (text[1] == '+');
        const auto [at, error] = std::from_chars(first, end, exponent);
        constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max() / 2;
        if (error == std::errc::result_out_of_range) exponent = *first == '-' ? -far : far;
    }
    const double size = place + exponent > 0 ? std::numeric_limits<double>::infinity() : 0;
    return is_negative ? -size : size;
}

#endif

}  // namespace

#ifdef __cpp_lib_to_chars

const char* read_any_number(const char* text, const char* end, double& value) {
    text = skip_plus(text, end);
    const auto [at, error] = std::from_chars(text, end, value);
    if (error == std::errc::invalid_argument) return nullptr;
    if (error == std::errc::result_out_of_range) value = beyond_range(text, at);
    return at;
}

#else

const char* read_any_number(const char* text, const char* end, double& value) {
    return read_number_with_strtod(text, end, value);
}

#endif

#ifndef _WIN32

const char* read_number_with_strtod(const char* text, const char* end, double& value) {
    text = skip_plus(text, end);
    // strtod takes more than is meant here: spaces, hexadecimal digits.
    const auto* const word_end = std::find_if_not(text, end, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '+' || c == '-' || c == '.' || c == '(' || c == ')' || c == '_';
    });
    std::string word(text, word_end);
    if (word.empty() || word[0] == '+') return nullptr;
    if (const auto x = word.find_first_of("xX"); x != std::string::npos) word.resize(x);
    static const locale_t plain = ::newlocale(LC_ALL_MASK, "C", nullptr);
    char* at = nullptr;
    value = ::strtod_l(word.c_str(), &at, plain);
    return at == word.c_str() ? nullptr : text + (at - word.c_str());
}

#endif

}  // namespace drawstore::stan
