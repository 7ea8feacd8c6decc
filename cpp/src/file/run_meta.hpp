// The file that says what a run is.
#pragma once

#include <filesystem>
#include <string>

#include "drawstore/run.hpp"

namespace drawstore::file {

inline constexpr const char* run_meta_name = "run.meta";

struct StoredMeta {
    RunMeta meta;
    Time created_at;
};

// In a folder where there is none yet.
void write_run_meta(const std::filesystem::path& folder, const RunMeta& meta, Time created_at);

// Throws DataError where it is damaged, foreign or of a newer version, SystemError where there is
// none.
StoredMeta read_run_meta(const std::filesystem::path& folder);

}  // namespace drawstore::file
