// Reading rows of Stan CSV.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "autocorr/parallel.hpp"
#include "drawstore/error.hpp"
#include "drawstore/stan_csv.hpp"
#include "file/file.hpp"
#include "stan/lines.hpp"
#include "stan/number.hpp"

namespace drawstore {
namespace {

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

const char* skip_blanks(const char* at) noexcept {
    while (is_blank(*at)) ++at;
    return at;
}

// Text for a message, in ASCII and not too long.
std::string shown(std::string_view text) {
    constexpr std::size_t most = 40;
    std::string out;
    for (const char c : text.substr(0, most)) {
        if (c >= ' ' && c <= '~') {
            out.push_back(c);
        } else {
            std::array<char, 5> code{};
            std::snprintf(code.data(), code.size(), "\\x%02x", static_cast<unsigned char>(c));
            out += code.data();
        }
    }
    return "'" + out + (text.size() > most ? "...'" : "'");
}

// Reads lines of one file into places.
class LineReader {
  public:
    LineReader(const StanCsv& file, std::span<const StanCsv::Place> places, std::span<double> into)
        : file_(file), places_(places), into_(into) {
        for (std::size_t c = 0; c < places.size(); ++c) {
            if (places[c].offset >= 0) wanted_ = c + 1;
        }
    }

    // The i-th row that is wanted; `end` points to the end of the line.
    void read(const char* const line, const char* const end, std::uint64_t number,
              std::uint64_t i) const {
        const char* const stop = end[-1] == '\r' ? end - 1 : end;
        const std::size_t n = places_.size();
        const char* at = line;
        for (std::size_t c = 0; c < wanted_; ++c) {
            const StanCsv::Place& place = places_[c];
            at = skip_blanks(at);
            if (place.offset >= 0) {
                double value = 0;
                at = stan::read_number(at, stop, value);
                if (!at) fail(line, stop, number, c);
                into_[static_cast<std::size_t>(place.offset) +
                      static_cast<std::size_t>(i) * static_cast<std::size_t>(place.stride)] = value;
                at = skip_blanks(at);
            } else {
                at = std::find(at, stop, ',');
            }
            if (c + 1 == n ? at != stop : *at != ',') fail(line, stop, number, c);
            ++at;
        }
        if (wanted_ < n && wanted_ + 1 + static_cast<std::size_t>(std::count(at, stop, ',')) != n) {
            fail(line, stop, number, wanted_);
        }
    }

  private:
    // Says what is wrong in a line, at the latest in column `c`.
    [[noreturn]] void fail(const char* line, const char* stop, std::uint64_t number,
                           std::size_t c) const {
        const std::string_view text(line, stop);
        const auto n_cells = static_cast<std::size_t>(std::count(line, stop, ',')) + 1;
        const std::string place = file_.path().string() + ": line " + std::to_string(number);
        const auto& names = file_.columns();
        if (n_cells == names.size() && text.substr(0, text.find(',')) == names[0]) {
            throw DataError(place +
                            " is a second header row: this is the output of several chains "
                            "in one file; take it apart");
        }
        if (n_cells != names.size()) {
            throw DataError(place + " has " + std::to_string(n_cells) + " cells, and the header " +
                            std::to_string(names.size()));
        }
        std::size_t begin = 0;
        for (std::size_t i = 0; i < c; ++i) begin = text.find(',', begin) + 1;
        throw DataError(place + ", column " + std::to_string(c + 1) + " (" + shown(names[c]) +
                        "): " + shown(text.substr(begin, text.find(',', begin) - begin)) +
                        " is no number");
    }

    const StanCsv& file_;
    const std::span<const StanCsv::Place> places_;
    const std::span<double> into_;
    std::size_t wanted_ = 0;  // columns, up to the last that is
};

void check_places(std::span<const StanCsv::Place> places, std::size_t n_columns,
                  std::uint64_t n_rows, std::size_t size) {
    if (places.size() != n_columns) {
        throw ValueError("expected " + std::to_string(n_columns) + " places, one a column, got " +
                         std::to_string(places.size()));
    }
    if (n_rows == 0) return;
    for (const auto& [offset, stride] : places) {
        if (offset < 0) continue;
        const auto first = static_cast<std::uint64_t>(offset);
        const auto most = static_cast<std::uint64_t>(size);
        if (first >= most || stride < 0 ||
            (n_rows > 1 &&
             static_cast<std::uint64_t>(stride) > (most - 1 - first) / (n_rows - 1))) {
            throw ValueError("a column has no room for " + std::to_string(n_rows) +
                             " rows: its place is outside of what is to be filled");
        }
    }
}

}  // namespace

void StanCsv::read(std::uint64_t start, std::uint64_t stop, std::uint64_t step,
                   std::span<const Place> places, std::span<double> into) const {
    if (step == 0) throw ValueError("rows cannot be read in steps of 0");
    const std::vector<Mark> marks = marks_of(start, stop);
    check_places(places, columns_.size(), (stop - start + step - 1) / step, into.size());
    if (start == stop) return;
    const LineReader reader(*this, places, into);
    const auto file = file::File::open_to_read(path_);

    const auto read_between = [&](const Mark& mark, const Mark& next, std::vector<char>& text) {
        text.resize(static_cast<std::size_t>(next.offset - mark.offset));
        const std::size_t n = file.read(mark.offset, std::as_writable_bytes(std::span(text)));
        const char* at = text.data();
        const char* const end = at + n;
        std::uint64_t row = mark.row;
        std::uint64_t line = mark.line;
        for (; at != end && row < stop; ++line) {
            const void* const found = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
            if (!found) break;
            const auto* const line_end = static_cast<const char*>(found);
            if (!stan::is_comment(at) && !stan::is_empty(at)) {
                if (row >= start && (row - start) % step == 0) {
                    reader.read(at, line_end, line, (row - start) / step);
                }
                ++row;
            }
            at = line_end + 1;
        }
        if (row < std::min(next.row, stop)) {
            throw DataError(path_.string() + " was changed while it was read: open it anew");
        }
    };

    // Of several errors the one that stands first in the file is told.
    const std::size_t n_pieces = marks.size() - 1;
    std::vector<std::exception_ptr> errors(n_pieces);
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> failed = false;
    const std::size_t n_threads =
        std::min<std::size_t>(n_pieces, std::max(std::thread::hardware_concurrency(), 1U));
    autocorr::in_threads(n_threads, [&](std::size_t) {
        std::vector<char> text;
        while (!failed) {
            const std::size_t piece = next++;
            if (piece >= n_pieces) return;
            try {
                read_between(marks[piece], marks[piece + 1], text);
            } catch (...) {
                errors[piece] = std::current_exception();
                failed = true;
            }
        }
    });
    for (const auto& error : errors) {
        if (error) std::rethrow_exception(error);
    }
}

}  // namespace drawstore
