#include "plan.hpp"

#include <bit>
#include <cmath>
#include <numbers>

namespace drawstore::autocorr {

std::complex<double> unit_root(std::size_t j, std::size_t n) noexcept {
    const double angle = -2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(n);
    return {std::cos(angle), std::sin(angle)};
}

Plan::Plan(std::size_t block) {
    twiddles_.block = block;
    const std::size_t n = 2 * block;
    // All tables hold powers of the same root, so each one is computed once.
    std::vector<std::complex<double>> roots(n);
    for (std::size_t j = 0; j < block; ++j) {
        roots[j] = unit_root(j, n);
        roots[j + block] = -roots[j];
    }
    const auto put = [this](std::complex<double> root) {
        numbers_.push_back(root.real());
        numbers_.push_back(root.imag());
    };
    std::vector<std::size_t> starts;
    for (std::size_t j = 0; j < block; ++j) put(roots[j]);
    for (std::size_t size = block; size > 4; size /= 4) {
        starts.push_back(numbers_.size());
        const std::size_t step = n / size;
        for (std::size_t j = 0; j < size / 4; ++j) {
            for (std::size_t power = 1; power < 4; ++power) put(roots[j * power * step]);
        }
    }
    twiddles_.turns = numbers_.data();
    int log_size = std::countr_zero(block);
    for (const std::size_t start : starts) {
        twiddles_.passes[log_size] = numbers_.data() + start;
        log_size -= 2;
    }
}

std::vector<std::size_t> Plan::frequencies() const {
    // Grown from the last pass of the transform to the first.
    std::vector<std::size_t> order{0};
    if (std::countr_zero(block()) % 2 != 0) order = {0, 1};
    const auto spread = [&order](std::size_t parts) {
        std::vector<std::size_t> spread_order;
        for (std::size_t part = 0; part < parts; ++part) {
            for (const std::size_t k : order) spread_order.push_back(parts * k + part);
        }
        order = std::move(spread_order);
    };
    while (order.size() < block()) spread(4);
    spread(2);
    return order;
}

}  // namespace drawstore::autocorr
