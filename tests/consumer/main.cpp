// consumer DIRECTORY DRAWS: four chains of a random-walk Metropolis sampler, in threads, into one
// run of a FileBackend. Half way it says the id of the run, and waits for a line.
#include <meta.pb.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <drawstore/file_backend.hpp>
#include <iostream>
#include <latch>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

using Position = std::array<double, 2>;

// Two correlated normal variables.
double log_density(const Position& at) {
    const double rest = at[1] - 0.5 * at[0];
    return -0.5 * (at[0] * at[0] + rest * rest);
}

npproto::ndarray packed(std::span<const double> numbers) {
    npproto::ndarray array;
    array.set_data(numbers.data(), numbers.size_bytes());
    array.set_dtype("float64");
    array.add_shape(static_cast<std::int64_t>(numbers.size()));
    array.add_strides(sizeof(double));
    return array;
}

// The variables are told to the library. All else is said in the message, which it keeps as it is.
drawstore::RunMeta described(std::int64_t n_draws) {
    drawstore::meta::RunMeta message;
    auto& axis = *message.add_coordinates();
    axis.set_name("axis");
    *axis.mutable_values() = packed(std::array{0.0, 90.0});
    auto& data = *message.add_data();
    data.set_name("slope");
    *data.mutable_value() = packed(std::array{0.5});
    (*message.mutable_attributes())["sampler"].set_string_value("random walk");
    (*message.mutable_attributes())["n_draws"].set_number_value(static_cast<double>(n_draws));

    drawstore::RunMeta meta;
    meta.variables = {{"position", drawstore::dtype_of<double>(), {2}, {"axis"}},
                      {"radius", drawstore::dtype_of<float>()}};
    meta.variables.back().is_deterministic = true;
    meta.sample_stats = {{"accepted", drawstore::dtype_of<bool>()},
                         {"log_density", drawstore::dtype_of<double>()},
                         {"tune", drawstore::dtype_of<bool>()}};
    meta.message = message.SerializeAsString();
    return meta;
}

class Sampler {
  public:
    Sampler(std::shared_ptr<drawstore::Chain> chain, std::int64_t n_tune)
        : chain_(std::move(chain)), n_tune_(n_tune), random_(chain_->chain_number()) {}

    void sample(std::int64_t n_draws) {
        for (std::int64_t i = 0; i < n_draws; ++i) {
            const bool accepted = step();
            const auto radius = static_cast<float>(std::hypot(at_[0], at_[1]));
            const bool tune = n_done_++ < n_tune_;
            chain_->append({{"position", std::span<const double>(at_)}, {"radius", radius}},
                           {{"accepted", accepted}, {"log_density", here_}, {"tune", tune}});
        }
    }

    void close() { chain_->close(); }

  private:
    bool step() {
        const Position proposed = {at_[0] + normal_(random_), at_[1] + normal_(random_)};
        const double there = log_density(proposed);
        if (std::log(uniform_(random_)) >= there - here_) return false;
        at_ = proposed;
        here_ = there;
        return true;
    }

    std::shared_ptr<drawstore::Chain> chain_;
    std::int64_t n_tune_;
    std::int64_t n_done_ = 0;
    std::mt19937_64 random_;
    std::normal_distribution<double> normal_;
    std::uniform_real_distribution<double> uniform_;
    Position at_ = {3, -3};
    double here_ = log_density(at_);
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return EXIT_FAILURE;
    const std::int64_t n_draws = std::stoll(argv[2]);
    drawstore::FileBackend backend(argv[1]);
    const auto run = backend.init_run(described(n_draws));

    constexpr std::uint32_t n_chains = 4;
    std::latch half_way(n_chains);
    std::latch go_on(1);
    std::vector<std::jthread> threads;
    for (std::uint32_t number = 0; number < n_chains; ++number) {
        threads.emplace_back([&, number] {
            Sampler sampler(run->init_chain(number), n_draws / 10);
            sampler.sample(n_draws / 2);
            half_way.count_down();
            go_on.wait();
            sampler.sample(n_draws - n_draws / 2);
            sampler.close();
        });
    }
    half_way.wait();
    std::cout << run->meta().rid << std::endl;
    std::string line;
    std::getline(std::cin, line);
    go_on.count_down();
}
