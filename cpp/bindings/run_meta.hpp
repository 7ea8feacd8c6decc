// What a run is made of, as Python says it.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "drawstore/file_backend.hpp"
#include "drawstore/meta.hpp"
#include "pybind.hpp"

namespace drawstore::bindings {

// A Variable as Python gives and gets it: name, dtype, shape, dims, is_deterministic,
// undefined_ndim.
using VariableTuple = std::tuple<std::string, std::string, std::vector<std::int64_t>,
                                 std::vector<std::string>, bool, bool>;

std::vector<VariableTuple> tuples_of(const std::vector<Variable>& variables);

// Id, variables, sampler stats, and the RunMeta message.
using RunMetaTuple =
    std::tuple<std::string, std::vector<VariableTuple>, std::vector<VariableTuple>, py::bytes>;

// Throws TypeError and ValueError for a dtype that there is not.
RunMeta run_meta_from(const RunMetaTuple& tuple);

// "auto", "mapped" or "written". Throws ValueError, with the name of the option, for others.
TailStore tail_store_from(const char* option, const std::string& name);

}  // namespace drawstore::bindings
