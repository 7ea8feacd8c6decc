#include "drawstore/stan_csv.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "drawstore/error.hpp"
#include "file/file.hpp"
#include "stan/lines.hpp"

namespace drawstore {
namespace {

constexpr std::uint64_t mark_bytes = std::size_t{256} << 10;   // between marks, at least
constexpr std::size_t scanned_at_once = std::size_t{1} << 20;  // as long as lines are shorter
constexpr std::size_t longest_line = std::size_t{1} << 30;

// The names in a header row. Commas within brackets, or quotes, belong to a name.
std::vector<std::string> split_header(std::span<const char> line) {
    std::vector<std::string> names(1);
    int depth = 0;
    bool quoted = false;
    for (const char c : line) {
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        depth += (c == '[') - (c == ']');
        if (c == ',' && depth == 0 && !quoted) {
            names.emplace_back();
        } else if (c != ' ' && c != '\r') {
            names.back().push_back(c);
        }
    }
    return names;
}

}  // namespace

StanCsv::StanCsv(std::filesystem::path path) : path_(std::move(path)) {
    refresh();
    if (columns_.empty()) {
        throw DataError(path_.string() +
                        " has no header row, with the names of the columns: nothing has been "
                        "written to it yet, or it was cut off");
    }
}

std::uint64_t StanCsv::refresh() {
    const std::lock_guard lock(mutex_);
    const auto file = file::File::open_to_read(path_);
    const std::uint64_t size = file.size();
    if (size < end_) {
        throw DataError(path_.string() +
                        " has become shorter since it was opened: open it anew to read what is "
                        "there now");
    }
    std::vector<char> text(
        static_cast<std::size_t>(std::min<std::uint64_t>(size - end_ + 1, scanned_at_once)));
    std::size_t held = 0;      // bytes of text, from end_ on
    std::size_t searched = 0;  // of them without the end of a line
    while (true) {
        const std::size_t n =
            file.read(end_ + held, std::as_writable_bytes(std::span(text).subspan(held)));
        if (n == 0) return rows_;
        held += n;
        const char* at = text.data();
        const char* const end = at + held;
        const char* from = at + searched;
        while (const void* found = std::memchr(from, '\n', static_cast<std::size_t>(end - from))) {
            const auto* const next = static_cast<const char*>(found) + 1;
            take_line({at, next});
            end_ += static_cast<std::uint64_t>(next - at);
            at = from = next;
            if (at == end) break;
        }
        held = searched = static_cast<std::size_t>(end - at);
        std::memmove(text.data(), at, held);
        if (held == text.size()) {
            if (held >= longest_line) {
                throw DataError(path_.string() + ": line " + std::to_string(lines_ + 1) +
                                " is longer than a gigabyte");
            }
            text.resize(2 * held);
        }
    }
}

// A line at end_, with its end.
void StanCsv::take_line(std::span<const char> line) {
    ++lines_;
    if (stan::is_comment(line.data())) {
        if (!comments_.empty() && comments_.back().row == rows_ &&
            comments_.back().offset + comments_.back().bytes == end_) {
            comments_.back().bytes += line.size();
        } else {
            comments_.push_back({rows_, end_, line.size()});
        }
    } else if (stan::is_empty(line.data())) {
        return;
    } else if (columns_.empty()) {
        columns_ = split_header(line.first(line.size() - 1));
    } else {
        if (marks_.empty() || end_ - marks_.back().offset >= mark_bytes) {
            marks_.push_back({end_, rows_, lines_});
        }
        ++rows_;
    }
}

std::vector<StanCsv::Comment> StanCsv::comments() const {
    const std::lock_guard lock(mutex_);
    const auto file = file::File::open_to_read(path_);
    std::vector<Comment> comments;
    for (const CommentPlace& place : comments_) {
        std::string text(static_cast<std::size_t>(place.bytes), '\0');
        text.resize(file.read(place.offset, std::as_writable_bytes(std::span(text))));
        comments.push_back({place.row, std::move(text)});
    }
    return comments;
}

// The marks of these rows: the first at or before `start`, and last the end of them.
std::vector<StanCsv::Mark> StanCsv::marks_of(std::uint64_t start, std::uint64_t stop) const {
    const std::lock_guard lock(mutex_);
    if (start > stop || stop > rows_) {
        throw ValueError("there are no rows " + std::to_string(start) + " to " +
                         std::to_string(stop) + ": " + path_.string() + " has " +
                         std::to_string(rows_));
    }
    const auto begins_behind = [](std::uint64_t row, const Mark& mark) { return row < mark.row; };
    const auto behind_first = std::upper_bound(marks_.begin(), marks_.end(), start, begins_behind);
    const auto behind_last =
        std::lower_bound(behind_first, marks_.end(), stop,
                         [](const Mark& mark, std::uint64_t row) { return mark.row < row; });
    std::vector<Mark> marks(behind_first - (behind_first == marks_.begin() ? 0 : 1), behind_last);
    marks.push_back(behind_last == marks_.end() ? Mark{end_, rows_, lines_} : *behind_last);
    return marks;
}

}  // namespace drawstore
