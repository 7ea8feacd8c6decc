#include <algorithm>
#include <cstring>

#include "drawstore/checksum.hpp"

namespace drawstore {

void put_into_chunks(std::span<const std::span<const std::byte>> pieces, std::size_t chunk_bytes,
                     std::span<std::byte> into) noexcept {
    auto piece = pieces.begin();
    std::size_t taken = 0;  // of the piece
    while (!into.empty()) {
        const std::span<std::byte> chunk = into.first(chunk_bytes);
        std::size_t filled = 0;
        while (filled < chunk_bytes && piece != pieces.end()) {
            const auto part = piece->subspan(taken, std::min(piece->size() - taken,  //
                                                             chunk_bytes - filled));
            if (!part.empty()) std::memcpy(chunk.data() + filled, part.data(), part.size());
            filled += part.size();
            taken += part.size();
            if (taken == piece->size()) {
                ++piece;
                taken = 0;
            }
        }
        std::ranges::fill(chunk.subspan(filled), std::byte{0});
        const std::uint32_t sum = fletcher32(chunk);
        for (std::size_t i = 0; i < fletcher32_bytes; ++i) {
            into[chunk_bytes + i] = static_cast<std::byte>(sum >> 8 * i);
        }
        into = into.subspan(chunk_bytes + fletcher32_bytes);
    }
}

}  // namespace drawstore
