#include <algorithm>
#include <bit>
#include <cstring>

#include "drawstore/checksum.hpp"

namespace drawstore {
namespace {

// Words whose plain sums still fit: 2^16 · (1 + 2 + … + n) < 2^32 for the weighted one.
constexpr std::size_t words_per_block = 360;
constexpr std::uint64_t modulus = 65535;

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
    for (std::size_t done = 0; done < n_words;) {
        const std::size_t n = std::min(words_per_block, n_words - done);
        std::uint32_t block_sum = 0;
        std::uint32_t block_weighted = 0;
        for (std::size_t i = 0; i < n; ++i) {
            std::uint16_t word;
            std::memcpy(&word, data.data() + 2 * (done + i), 2);
            block_sum += word;
            block_weighted += static_cast<std::uint32_t>(n - i) * word;
        }
        // Swapping the bytes of a word multiplies it by 256 modulo 65535, so the words are summed
        // in the machine's own order and the sums are put right at the end.
        sums += (sum % modulus) * n + block_weighted;
        sum += block_sum;
        any = any || block_sum != 0;
        sums %= modulus;
        done += n;
    }
    if constexpr (std::endian::native == std::endian::little) {
        sum = sum % modulus * 256;
        sums = sums * 256;
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
