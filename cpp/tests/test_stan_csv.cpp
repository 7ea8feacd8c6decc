#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "drawstore/error.hpp"
#include "drawstore/stan_csv.hpp"
#include "stan/number.hpp"

using drawstore::DataError;
using drawstore::StanCsv;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

using Reader = const char* (*)(const char*, const char*, double&);

std::vector<Reader> readers() {
    std::vector<Reader> all{drawstore::stan::read_number, drawstore::stan::read_any_number};
#ifndef _WIN32
    all.push_back(drawstore::stan::read_number_with_strtod);
#endif
    return all;
}

struct Read {
    double value = -1;
    std::ptrdiff_t length = -1;  // -1: no number
};

Read read_with(Reader reader, const std::string& text) {
    Read read;
    const char* const end = reader(text.c_str(), text.c_str() + text.size(), read.value);
    if (end) read.length = end - text.c_str();
    return read;
}

// A file with this text, until the end of the test.
class Written {
  public:
    explicit Written(std::string_view text) {
        static int number = 0;
        path_ = std::filesystem::temp_directory_path() /
                ("drawstore-stan-" + std::to_string(std::random_device{}()) + "-" +
                 std::to_string(number++) + ".csv");
        append(text);
    }
    ~Written() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }
    Written(const Written&) = delete;
    Written& operator=(const Written&) = delete;

    void append(std::string_view text) const {
        std::ofstream(path_, std::ios::binary | std::ios::app) << text;
    }
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

// Rows one after the other.
std::vector<double> all_of(StanCsv& file, std::uint64_t start, std::uint64_t stop,
                           std::uint64_t step = 1) {
    const std::size_t n = file.columns().size();
    std::vector<StanCsv::Place> places;
    for (std::size_t c = 0; c < n; ++c) {
        places.push_back({static_cast<std::int64_t>(c), static_cast<std::int64_t>(n)});
    }
    std::vector<double> values(n * ((stop - start + step - 1) / step));
    file.read(start, stop, step, places, values);
    return values;
}

std::string error_of(std::string_view text) {
    const Written written(text);
    try {
        StanCsv file(written.path());
        all_of(file, 0, file.refresh());
    } catch (const DataError& error) {
        const std::string what = error.what();
        CHECK(what.find(written.path().string()) == 0);
        return what.substr(written.path().string().size());
    }
    return "none";
}

}  // namespace

TEST_CASE("numbers of Stan are the nearest doubles") {
    std::mt19937_64 random(1);
    std::vector<double> numbers{0.0, -0.0, 0.1, 1e22, 1e23, 9007199254740993.0, 5e-324, 2.5e-308};
    for (int i = 0; i < 20'000; ++i) {
        numbers.push_back(std::bit_cast<double>(random()));
        numbers.push_back(std::normal_distribution()(random));
    }
    for (const double number : numbers) {
        if (!std::isfinite(number)) continue;
        for (const int digits : {3, 6, 8, 16, 17, 18, 25}) {
            char text[64];
            const int length = std::snprintf(text, sizeof text, "%.*g", digits, number);
            const double wanted = std::strtod(text, nullptr);  // of the C library
            for (const Reader reader : readers()) {
                const Read read = read_with(reader, text);
                REQUIRE(read.length == length);
                REQUIRE(std::bit_cast<std::uint64_t>(read.value) ==
                        std::bit_cast<std::uint64_t>(wanted));
            }
        }
    }
}

TEST_CASE("what is no short number of Stan is read as well") {
    const std::string zeros(400, '0');
    for (const Reader reader : readers()) {
        CHECK(read_with(reader, "inf").value == infinity);
        CHECK(read_with(reader, "+inf").value == infinity);
        CHECK(read_with(reader, "-Infinity").value == -infinity);
        CHECK(std::isnan(read_with(reader, "NaN").value));
        CHECK(std::isnan(read_with(reader, "-nan").value));
        CHECK(read_with(reader, "+1.5").value == 1.5);
        CHECK(read_with(reader, ".5").value == 0.5);
        CHECK(read_with(reader, "5.").value == 5);
        CHECK(read_with(reader, "2.78641e-030").value == 2.78641e-30);
        CHECK(read_with(reader, "1e5,").length == 3);
        CHECK(read_with(reader, "1e999").value == infinity);
        CHECK(read_with(reader, "-1E+999").value == -infinity);
        CHECK(read_with(reader, "1e-999").value == 0);
        CHECK(std::signbit(read_with(reader, "-1e-999").value));
        CHECK(read_with(reader, "1" + zeros + "e-400").value == 1);
        CHECK(read_with(reader, "1" + zeros).value == infinity);
        CHECK(read_with(reader, "1" + zeros + zeros + "e-10").value == infinity);
        CHECK(read_with(reader, "0." + zeros + "1").value == 0);
        CHECK(read_with(reader, "0." + zeros + zeros + "1e10").value == 0);
        CHECK(read_with(reader, "1e99999999999999999999").value == infinity);
        CHECK(read_with(reader, "1e-99999999999999999999").value == 0);
        CHECK(read_with(reader, "0x10").length == 1);
        for (const char* text : {"", " 1", "x", "+", "-", "+-1", "-+1", ".", "e5", ",", "--1"}) {
            CAPTURE(text);
            CHECK(read_with(reader, text).length == -1);
        }
    }
}

TEST_CASE("a file of Stan is header, rows and comments") {
    const Written written(
        "# stan_version_major = 2\n# model = m\nlp__,theta.1, \"b[1,2]\",b[2,2]\r\n"
        "# Adaptation terminated\n\n1,2,3,4\r\n-1, 2e1,nan, inf \n#\n# end\n5,6,7,8\n9,10");
    StanCsv file(written.path());
    CHECK(file.columns() == std::vector<std::string>{"lp__", "theta.1", "b[1,2]", "b[2,2]"});
    CHECK(file.refresh() == 3);
    const auto values = all_of(file, 0, 3);
    CHECK(std::vector(values.begin(), values.begin() + 6) ==
          std::vector<double>{1, 2, 3, 4, -1, 20});
    CHECK(std::isnan(values[6]));
    CHECK(values[7] == infinity);
    CHECK(all_of(file, 2, 3) == std::vector<double>{5, 6, 7, 8});
    const auto comments = file.comments();
    REQUIRE(comments.size() == 3);
    CHECK(comments[0].text == "# stan_version_major = 2\n# model = m\n");
    CHECK(comments[1].text == "# Adaptation terminated\n");
    CHECK(comments[1].row == 0);
    CHECK(comments[2].text == "#\n# end\n");
    CHECK(comments[2].row == 2);

    written.append(",11,12");
    CHECK(file.refresh() == 3);
    written.append("\n");
    CHECK(file.refresh() == 4);
    CHECK(all_of(file, 3, 4) == std::vector<double>{9, 10, 11, 12});
    std::filesystem::resize_file(written.path(), 20);
    CHECK_THROWS_AS(file.refresh(), DataError);
    CHECK_THROWS_AS(all_of(file, 0, 4), DataError);
}

TEST_CASE("any rows and columns of a long file of Stan can be read") {
    constexpr std::uint64_t n = 60'000;
    std::string text = "a,b,c\n";
    for (std::uint64_t i = 0; i < n; ++i) {
        if (i % 1000 == 7) text += "# a comment\n";
        const std::string row = std::to_string(i);
        text += row + ".25," + row + "e-3,-" + row + "\n";
    }
    const Written written(text);
    StanCsv file(written.path());
    REQUIRE(file.refresh() == n);
    std::mt19937 random(2);
    for (int round = 0; round < 200; ++round) {
        auto start = random() % n;
        auto stop = random() % n;
        if (start > stop) std::swap(start, stop);
        const std::uint64_t step = 1 + random() % 7;
        const std::uint64_t rows = (stop - start + step - 1) / step;
        const auto gap = static_cast<std::int64_t>(rows);
        const std::vector<StanCsv::Place> places{{gap, 1}, {-1, 0}, {0, 1}};
        std::vector<double> values(2 * rows);
        file.read(start, stop, step, places, values);
        for (std::uint64_t i = 0; i < rows; ++i) {
            const auto row = static_cast<double>(start + i * step);
            REQUIRE(values[i] == -row);
            REQUIRE(values[rows + i] == row + 0.25);
        }
    }
    std::vector<double> few(5);
    const std::vector<StanCsv::Place> beyond{{0, 1}, {-1, 0}, {-1, 0}};
    CHECK_THROWS_AS(file.read(0, 6, 1, beyond, few), drawstore::ValueError);
    CHECK_THROWS_AS(file.read(0, 5, 0, beyond, few), drawstore::ValueError);
    CHECK_THROWS_AS(file.read(0, n + 1, 1, beyond, few), drawstore::ValueError);
    CHECK_THROWS_AS(file.read(0, 5, 1, std::vector<StanCsv::Place>{{0, 1}}, few),
                    drawstore::ValueError);
    const std::vector<StanCsv::Place> far{{0, std::numeric_limits<std::int64_t>::max()}, {}, {}};
    CHECK_THROWS_AS(file.read(0, 5, 1, far, few), drawstore::ValueError);
}

TEST_CASE("lines longer than what is read at once are whole") {
    constexpr std::size_t n = 300'000;
    std::string text = "x.1";
    for (std::size_t i = 2; i <= n; ++i) text += ",x." + std::to_string(i);
    for (int row = 0; row < 3; ++row) {
        text += "\n" + std::to_string(row);
        for (std::size_t i = 2; i <= n; ++i) text += "," + std::to_string(i);
    }
    const Written written(text + "\n");
    StanCsv file(written.path());
    REQUIRE(file.columns().size() == n);
    REQUIRE(file.refresh() == 3);
    const auto values = all_of(file, 0, 3);
    CHECK(values[n] == 1);
    CHECK(values[n - 1] == n);
    CHECK(values.back() == n);
}

TEST_CASE("damage of a file of Stan is named by line and column") {
    using namespace std::string_literals;
    CHECK(error_of("").find(" has no header row") == 0);
    CHECK(error_of("# model = m\n").find(" has no header row") == 0);
    CHECK(error_of("lp__,x").find(" has no header row") == 0);
    CHECK(error_of("lp__,x\n") == "none");
    CHECK(error_of("#\nlp__,x\n1,2\n3\n") == ": line 4 has 1 cells, and the header 2");
    CHECK(error_of("lp__,x\n1,2,3\n") == ": line 2 has 3 cells, and the header 2");
    CHECK(error_of("lp__,x\n1,2,\n") == ": line 2 has 3 cells, and the header 2");
    CHECK(error_of("lp__,x\n1,\n") == ": line 2, column 2 ('x'): '' is no number");
    CHECK(error_of("lp__,x\n1,ab\n") == ": line 2, column 2 ('x'): 'ab' is no number");
    CHECK(error_of("lp__,x\n1,2.5.1\n") == ": line 2, column 2 ('x'): '2.5.1' is no number");
    CHECK(error_of("lp__,x\n1 2,3\n") == ": line 2, column 1 ('lp__'): '1 2' is no number");
    CHECK(error_of("lp__,x\n1,2\0\n"s) == ": line 2, column 2 ('x'): '2\\x00' is no number");
    CHECK(error_of("lp__,x\n1,2\n\0\0\0\n"s) == ": line 3 has 1 cells, and the header 2");
    CHECK(error_of("lp__,x\n1,2\nlp__,x\n3,4\n").find(": line 3 is a second header row") == 0);
    CHECK(error_of("lp__,x\n1,\xff" + std::string(100, 'y') + "\n") ==
          ": line 2, column 2 ('x'): '\\xff" + std::string(39, 'y') + "...' is no number");
}

TEST_CASE("of several damaged lines the first is named") {
    std::string text = "x,y\n";
    for (int i = 0; i < 200'000; ++i) text += i % 50'000 == 40'000 ? "1,oh\n" : "1.25,2.5\n";
    const Written written(text);
    StanCsv file(written.path());
    for (int round = 0; round < 5; ++round) {
        try {
            all_of(file, 0, file.refresh());
            FAIL("no error");
        } catch (const DataError& error) {
            CHECK(std::string(error.what()).find(": line 40002, column 2") != std::string::npos);
        }
    }
    const std::vector<StanCsv::Place> first{{0, 1}, {-1, 0}};
    std::vector<double> values(200'000);
    file.read(0, 200'000, 1, first, values);  // what is not wanted is not looked at
    CHECK(values[40'000] == 1);
}
