#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "drawstore/checksum.hpp"

namespace drawstore {
namespace {

constexpr std::uint64_t modulus = 65535;

// Words are summed four side by side, as the halves of two registers.
constexpr std::size_t lanes = 4;
constexpr std::uint64_t low_words = 0x0000'FFFF'0000'FFFF;
// Rows of four whose weighted sums fit in half a register: 2^16 · (1 + 2 + … + n) < 2^32.
constexpr std::size_t rows_per_block = 360;

struct BlockSums {
    std::uint64_t plain;     // of the words
    std::uint64_t weighted;  // of the sums after each word: of n words the first counts n times
};

BlockSums sum_rows(const std::byte* words, std::size_t n_rows) noexcept {
    std::uint64_t plain_even = 0;
    std::uint64_t plain_odd = 0;
    std::uint64_t weighted_even = 0;
    std::uint64_t weighted_odd = 0;
    for (std::size_t row = 0; row < n_rows; ++row) {
        std::uint64_t four;
        std::memcpy(&four, words + sizeof four * row, sizeof four);
        plain_even += four & low_words;
        plain_odd += four >> 16 & low_words;
        weighted_even += plain_even;
        weighted_odd += plain_odd;
    }
    // Lanes in the order of the words in memory, which is that of the bits, or its reverse.
    const auto low = [](std::uint64_t pair) { return pair & 0xFFFF'FFFF; };
    const auto high = [](std::uint64_t pair) { return pair >> 32; };
    std::array<std::uint64_t, lanes> plain = {low(plain_even), low(plain_odd), high(plain_even),
                                              high(plain_odd)};
    if constexpr (std::endian::native == std::endian::big) std::ranges::reverse(plain);
    BlockSums sums{0, lanes * (low(weighted_even) + high(weighted_even) + low(weighted_odd) +
                               high(weighted_odd))};
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        sums.plain += plain[lane];
        sums.weighted -= lane * plain[lane];
    }
    return sums;
}

// The sums of HDF5 fold their carries back in, so that a multiple of the modulus that is not zero
// ends as 65535.
constexpr std::uint32_t folded(std::uint64_t sum) {
    const auto rest = static_cast<std::uint32_t>(sum % modulus);
    return rest == 0 && sum != 0 ? static_cast<std::uint32_t>(modulus) : rest;
}

}  // namespace

std::uint32_t fletcher32(std::span<const std::byte> data) noexcept {
    std::uint64_t sum = 0;   // of the words
    std::uint64_t sums = 0;  // of the sums after each word
    bool any = false;        // whether a word was not zero
    const std::size_t n_words = data.size() / 2;
    const auto append = [&](BlockSums block, std::size_t n) {
        sums = (sums + sum * n + block.weighted) % modulus;
        sum = (sum + block.plain) % modulus;
        any = any || block.plain != 0;
    };
    // Swapping the bytes of a word multiplies it by 256 modulo 65535, so the words are summed in
    // the machine's own order and the sums are put right at the end.
    std::size_t done = 0;
    while (n_words - done >= lanes) {
        const std::size_t n_rows = std::min(rows_per_block, (n_words - done) / lanes);
        append(sum_rows(data.data() + 2 * done, n_rows), n_rows * lanes);
        done += n_rows * lanes;
    }
    for (; done < n_words; ++done) {
        std::uint16_t word;
        std::memcpy(&word, data.data() + 2 * done, 2);
        append({word, word}, 1);
    }
    if constexpr (std::endian::native == std::endian::little) {
        sum *= 256;
        sums *= 256;
    }
    if (data.size() % 2 != 0) {
        const auto last = std::to_integer<std::uint64_t>(data.back()) << 8;
        any = any || last != 0;
        sum += last;
        sums += sum;
    }
    const auto nonzero = [any](std::uint64_t value) {
        return folded(any && value == 0 ? modulus : value);
    };
    return nonzero(sums) << 16 | nonzero(sum);
}

}  // namespace drawstore
