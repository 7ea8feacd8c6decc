// Runs in memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "drawstore/run.hpp"

namespace drawstore {

// Keeps runs as long as it lives, or a handle on them does. Any thread may call it.
class MemoryBackend final : public Backend {
  public:
    // preallocate: how many draws each chain has room for from the start.
    explicit MemoryBackend(std::uint64_t preallocate = 1000) : preallocate_(preallocate) {}

    std::shared_ptr<Run> init_run(RunMeta meta) override;
    std::vector<RunInfo> get_runs() const override;
    std::shared_ptr<Run> get_run(const std::string& rid) override;
    void delete_run(const std::string& rid) override;

  private:
    const std::uint64_t preallocate_;
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<Run>> runs_;
};

}  // namespace drawstore
