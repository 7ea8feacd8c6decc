#include "window.hpp"

namespace drawstore::autocorr {

std::optional<double> windowed_time(std::span<const double> rho, std::size_t n_steps, double c) {
    double sum = 0;
    double tau = 0;
    double tau_at_first = 0;
    bool below_at_first = false;
    bool below_at_any = false;
    for (std::size_t k = 0; k < rho.size(); ++k) {
        sum += rho[k];
        tau = 2 * sum - 1;
        const bool below = static_cast<double>(k) < c * tau;
        if (k == 0) {
            tau_at_first = tau;
            below_at_first = below;
        }
        if (!below && below_at_first) return tau;
        below_at_any = below_at_any || below;
    }
    if (rho.size() < n_steps) return std::nullopt;
    return below_at_any ? tau_at_first : tau;
}

}  // namespace drawstore::autocorr
