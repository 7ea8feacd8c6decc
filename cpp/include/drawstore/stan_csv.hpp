// Stan CSV: the files that cmdstan writes, read while it may still be writing them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace drawstore {

// One file: comment lines, which begin with '#', a header row with the names of the columns, rows
// of numbers. Comments may stand anywhere. Only whole lines count: one without its end is being
// written.
//
// The file is open while something is read, and no longer. Any thread may call any method.
class StanCsv {
  public:
    // Comment lines, one below the other, with the ends of the lines.
    struct Comment {
        std::uint64_t row = 0;  // how many rows are above them
        std::string text;
    };

    // Where the values of a column go: that of the i-th row to offset + i * stride.
    struct Place {
        std::int64_t offset = -1;  // less than 0: it is not wanted
        std::int64_t stride = 0;
    };

    // Throws SystemError where the file cannot be read, DataError where it has no header row.
    explicit StanCsv(std::filesystem::path path);

    const std::filesystem::path& path() const noexcept { return path_; }
    const std::vector<std::string>& columns() const noexcept { return columns_; }

    // Looks for lines that came since, and returns how many rows there are. Throws DataError where
    // the file has become shorter: it is another one.
    std::uint64_t refresh();

    // As of the last refresh().
    std::vector<Comment> comments() const;

    // Reads rows start, start + step, ... before stop, which is at most the rows of the last
    // refresh(); each number is the double next to it. A place a column, all of them in `into`.
    // Throws DataError that names line and column where a row is not as the header says, also in
    // columns that are not wanted where their number is wrong; ValueError for wrong arguments.
    void read(std::uint64_t start, std::uint64_t stop, std::uint64_t step,
              std::span<const Place> places, std::span<double> into) const;

  private:
    // The beginning of a row, every so many bytes.
    struct Mark {
        std::uint64_t offset = 0;
        std::uint64_t row = 0;
        std::uint64_t line = 0;
    };
    struct CommentPlace {
        std::uint64_t row = 0;
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
    };

    void take_line(std::span<const char> line);
    std::vector<Mark> marks_of(std::uint64_t start, std::uint64_t stop) const;

    const std::filesystem::path path_;
    mutable std::mutex mutex_;  // of all that follows, but for columns_, which never change
    std::vector<std::string> columns_;
    std::vector<Mark> marks_;
    std::vector<CommentPlace> comments_;
    std::uint64_t rows_ = 0;
    std::uint64_t lines_ = 0;
    std::uint64_t end_ = 0;  // of the last whole line
};

}  // namespace drawstore
