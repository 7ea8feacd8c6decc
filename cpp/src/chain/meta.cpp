#include "drawstore/meta.hpp"

#include <random>
#include <string_view>

namespace drawstore {

std::string fresh_rid() {
    constexpr std::string_view letters = "abcdefghijkmnpqrstuvwxyz23456789";  // none look alike
    static_assert(letters.size() == 32);
    std::random_device random;
    std::uniform_int_distribution<std::size_t> any(0, letters.size() - 1);
    std::string rid;
    for (int i = 0; i < 16; ++i) rid += letters[any(random)];
    return rid;
}

}  // namespace drawstore
