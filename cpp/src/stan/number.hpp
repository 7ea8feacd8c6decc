// Decimal numbers as doubles: each the double next to it.
#pragma once

#include <cfloat>
#include <cstddef>
#include <cstdint>

namespace drawstore::stan {

// These return where the number at `text` ends, or nullptr where there is none: digits with or
// without sign, point and exponent, "inf" or "nan", in either case. Numbers beyond the range are
// infinite, or zero. `end` points to a byte that can be read and belongs to no number.
const char* read_any_number(const char* text, const char* end, double& value);

#ifndef _WIN32
// The same for libraries without std::from_chars for doubles.
const char* read_number_with_strtod(const char* text, const char* end, double& value);
#endif

inline constexpr double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// The digits at `text`, behind those of `number`, which may overflow.
inline const char* read_digits(const char* text, std::uint64_t& number) noexcept {
    for (unsigned digit; (digit = static_cast<unsigned char>(*text) - unsigned{'0'}) < 10; ++text) {
        number = 10 * number + digit;
    }
    return text;
}

// Short numbers at once: the product or quotient of two doubles that are exact is rounded once, to
// the nearest (W. D. Clinger, "How to read floating point numbers accurately", PLDI 1990, section
// 5).
inline const char* read_number(const char* text, const char* end, double& value) {
    constexpr std::uint64_t most_exact = std::uint64_t{1} << 53;
    constexpr std::ptrdiff_t most_digits = 19;  // that do not overflow
    constexpr int most_power = 22;              // that is a double
    const bool is_negative = *text == '-';
    const char* const whole = text + is_negative;
    std::uint64_t digits = 0;
    const char* at = read_digits(whole, digits);
    std::ptrdiff_t n_digits = at - whole;
    std::ptrdiff_t power = 0;
    if (*at == '.') {
        const char* const fraction = at + 1;
        at = read_digits(fraction, digits);
        power = fraction - at;
        n_digits -= power;
    }
    const bool is_rounded_once = FLT_EVAL_METHOD == 0;
    if (!is_rounded_once || n_digits == 0 || n_digits > most_digits || digits > most_exact) {
        return read_any_number(text, end, value);
    }
    if (*at == 'e' || *at == 'E') {
        const bool is_small = at[1] == '-';
        const char* const first = at + 1 + (is_small || at[1] == '+');
        std::uint64_t exponent = 0;
        at = read_digits(first, exponent);
        if (at == first || at - first > 4) return read_any_number(text, end, value);
        power += is_small ? -static_cast<std::ptrdiff_t>(exponent)
                          : static_cast<std::ptrdiff_t>(exponent);
    }
    if (power < -most_power || power > most_power) return read_any_number(text, end, value);
    const auto exact = static_cast<double>(digits);
    const double size = power < 0 ? exact / powers_of_ten[-power] : exact * powers_of_ten[power];
    value = is_negative ? -size : size;
    return at;
}

}  // namespace drawstore::stan
