// Backend, Run and Chain: the interface to a store, the same in C++ and in Python.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "drawstore/chain.hpp"
#include "drawstore/meta.hpp"

namespace drawstore {

using Time = std::chrono::sys_time<std::chrono::microseconds>;

// A run as a backend lists it, without reading draws.
struct RunInfo {
    std::string rid;
    Time created_at;
    std::map<std::uint32_t, std::uint64_t> chains;  // number of a chain -> its draws
    std::uint64_t bytes = 0;
};

class Run {
  public:
    enum class Existing { Refuse, Resume };

    virtual ~Run() = default;

    virtual const RunMeta& meta() const = 0;
    virtual Time created_at() const = 0;

    // Throws ValueError where the chain exists and is not to be resumed, StateError where another
    // handle or process writes it.
    virtual std::shared_ptr<Chain> init_chain(std::uint32_t chain_number,
                                              Existing existing = Existing::Refuse) = 0;

    // By number: the handles that live in this process, and readers for the other chains.
    virtual std::vector<std::shared_ptr<Chain>> get_chains() = 0;

    // Bytes on disk, or in memory.
    virtual std::uint64_t bytes() const = 0;
};

class Backend {
  public:
    virtual ~Backend() = default;

    // Throws ValueError where a run of that id exists.
    virtual std::shared_ptr<Run> init_run(RunMeta meta) = 0;

    // In the order in which they were made.
    virtual std::vector<RunInfo> get_runs() const = 0;

    // Both throw NameError for an unknown id, with the ids there are.
    virtual std::shared_ptr<Run> get_run(const std::string& rid) = 0;
    virtual void delete_run(const std::string& rid) = 0;
};

}  // namespace drawstore
