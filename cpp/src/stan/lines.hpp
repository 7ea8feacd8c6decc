// The lines of a Stan CSV file.
#pragma once

namespace drawstore::stan {

// Of a line with its end.
inline bool is_comment(const char* line) noexcept { return *line == '#'; }
inline bool is_empty(const char* line) noexcept {
    return *line == '\n' || (*line == '\r' && line[1] == '\n');
}

}  // namespace drawstore::stan
