// What a run is made of.
#pragma once

#include <string>
#include <vector>

#include "drawstore/variable.hpp"

namespace drawstore {

// `message` is the RunMeta of protobufs/meta.proto as bytes, which the library keeps and does not
// read: coordinates, data and attributes are in there. It may be empty, and it need not say again
// what the variables and stats are.
struct RunMeta {
    std::string rid = {};  // empty: the backend makes a fresh one
    std::vector<Variable> variables = {};
    std::vector<Variable> sample_stats = {};
    std::string message = {};
};

// An id that no other run has.
std::string fresh_rid();

}  // namespace drawstore
