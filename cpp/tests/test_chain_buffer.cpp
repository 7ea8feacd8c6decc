#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "drawstore/chain_buffer.hpp"
#include "drawstore/error.hpp"

using namespace drawstore;

namespace {

const Variable x{"x", {}, {3}};
const Variable flag{"flag", {Kind::Bool, 1, "bool"}, {}};

// Row i holds i, i + 0.25 and i + 0.5 in x, and whether i is odd in flag.
void append(ChainBuffer& buffer, std::uint64_t n_rows = 1) {
    ChainBuffer::Append rows(buffer, n_rows);
    for (std::uint64_t i = 0; i < n_rows; ++i) {
        const auto row = rows.row() + i;
        const auto value = static_cast<double>(row);
        const double draw[3] = {value, value + 0.25, value + 0.5};
        const bool odd = row % 2 != 0;
        std::memcpy(rows.at(0, i), draw, sizeof draw);
        std::memcpy(rows.at(1, i), &odd, 1);
    }
    rows.commit();
}

bool holds(const std::vector<ChainBuffer::Span>& spans, std::uint64_t start, std::uint64_t stop) {
    std::uint64_t row = start;
    for (const auto& span : spans) {
        for (std::uint64_t i = 0; i < span.n_rows; ++i, ++row) {
            double draw[3];
            std::memcpy(draw, span.data + i * sizeof draw, sizeof draw);
            const auto value = static_cast<double>(row);
            if (draw[0] != value || draw[1] != value + 0.25 || draw[2] != value + 0.5) return false;
        }
    }
    return row == stop;
}

}  // namespace

TEST_CASE("rows come back as they went in, through every growth") {
    ChainBuffer buffer({x, flag});
    CHECK(buffer.size() == 0);
    CHECK(buffer.read(0, 0, 0).empty());
    for (std::uint64_t n = 1; buffer.size() < 500'000; n = 2 * n + 1) {
        append(buffer, n);
        CHECK(holds(buffer.read(0, 0, buffer.size()), 0, buffer.size()));
    }
    const auto odd = buffer.read(1, 7, 8);
    REQUIRE(odd.size() == 1);
    CHECK(static_cast<bool>(*odd[0].data));
}

TEST_CASE("a large buffer grows without moving") {
    ChainBuffer buffer({x, flag});
    buffer.announce(400'000);  // above the size from which address space is taken ahead
    append(buffer, 400'000);
    const auto before = buffer.read(0, 0, 1)[0];
    append(buffer, 600'000);
    CHECK(buffer.read(0, 0, 1)[0].data == before.data);
    CHECK(buffer.read(0, 0, buffer.size()).size() == 1);
}

TEST_CASE("a span outlives growth, reset and the buffer") {
    auto buffer = std::make_unique<ChainBuffer>(std::vector{x, flag});
    append(*buffer, 10);
    const auto small = buffer->read(0, 0, 10);
    append(*buffer, 300'000);
    const auto large = buffer->read(0, 0, 300'010);
    buffer->reset();
    CHECK(buffer->size() == 0);
    append(*buffer, 400'000);
    buffer.reset();
    CHECK(holds(small, 0, 10));
    CHECK(holds(large, 0, 300'010));
}

TEST_CASE("rows that are not committed were never there") {
    ChainBuffer buffer({x, flag});
    append(buffer, 3);
    {
        const ChainBuffer::Append rejected(buffer, 1000);
    }
    CHECK(buffer.size() == 3);
    append(buffer);
    CHECK(holds(buffer.read(0, 0, 4), 0, 4));
}

TEST_CASE("announcing guides allocation and binds nobody") {
    ChainBuffer buffer({x, flag});
    buffer.announce(100);
    CHECK(buffer.room(0).n_rows == 100);
    append(buffer, 5);
    const auto* first = buffer.read(0, 0, 1)[0].data;
    append(buffer, 95);
    CHECK(buffer.read(0, 0, 1)[0].data == first);
    append(buffer, 50);  // more than announced
    CHECK(holds(buffer.read(0, 0, 150), 0, 150));
    CHECK_NOTHROW(buffer.announce(std::numeric_limits<std::uint64_t>::max() / 64));
    append(buffer);
    CHECK(buffer.size() == 151);
}

TEST_CASE("more rows than there are addresses are refused, and nothing else") {
    ChainBuffer buffer({x, flag});
    append(buffer, 3);
    CHECK_THROWS_AS(ChainBuffer::Append(buffer, std::uint64_t{1} << 60), MemoryError);
    CHECK_THROWS_AS(ChainBuffer::Append(buffer, std::numeric_limits<std::uint64_t>::max()),
                    MemoryError);
    CHECK_THROWS_AS(ChainBuffer::Append(buffer, std::uint64_t{1} << 50), MemoryError);
    append(buffer);
    CHECK(holds(buffer.read(0, 0, 4), 0, 4));
}

TEST_CASE("rows that are not held cannot be read") {
    ChainBuffer buffer({x, flag});
    append(buffer, 3);
    CHECK_THROWS_AS(buffer.read(0, 0, 4), ValueError);
    CHECK_THROWS_AS(buffer.read(0, 2, 1), ValueError);
}

TEST_CASE("variables are checked when the buffer is made") {
    CHECK_THROWS_AS(ChainBuffer({x, x}), ValueError);
    CHECK_THROWS_AS(ChainBuffer({Variable{"", {}, {}}}), ValueError);
    const Variable huge{"huge", {}, {std::uint64_t{1} << 40, std::uint64_t{1} << 40}};
    CHECK_THROWS_AS(ChainBuffer({huge}), ValueError);
    const ChainBuffer buffer({x, flag});
    CHECK(buffer.find("flag") == 1);
    CHECK_THROWS_WITH_AS(buffer.find("y"), "there is no variable 'y'; there are 'x', 'flag'",
                         NameError);
}

TEST_CASE("variables of no bytes take no memory") {
    ChainBuffer buffer({Variable{"nothing", {}, {0, 5}}});
    ChainBuffer::Append(buffer, std::uint64_t{1} << 40).commit();
    CHECK(buffer.size() == std::uint64_t{1} << 40);
    CHECK(buffer.read(0, 5, 9)[0].n_rows == 4);
}

TEST_CASE("a ring holds rows until they are confirmed") {
    ChainBuffer ring({x, flag}, ChainBuffer::Ring{4, 0});
    append(ring, 10);  // over three segments
    CHECK(ring.read(0, 0, 10).size() == 3);
    CHECK(holds(ring.read(0, 2, 10), 2, 10));
    ring.confirm(3);
    CHECK(ring.first_row() == 0);
    ring.confirm(4);
    CHECK(ring.first_row() == 4);
    CHECK_THROWS_AS(ring.read(0, 3, 10), ValueError);
    CHECK_THROWS_AS(ring.confirm(11), ValueError);
    CHECK_THROWS_AS(ring.room(0), StateError);
    for (int i = 0; i < 1000; ++i) {
        append(ring, 1 + i % 7);
        ring.confirm(ring.size());
        CHECK(holds(ring.read(0, ring.first_row(), ring.size()), ring.first_row(), ring.size()));
        CHECK(ring.size() - ring.first_row() <= 4);
    }
    ring.reset();
    CHECK(ring.size() == 0);
    append(ring, 3);
    CHECK(holds(ring.read(0, 0, 3), 0, 3));
}

TEST_CASE("a segment whose rows are still shown is not used again") {
    ChainBuffer ring({x, flag}, ChainBuffer::Ring{2, 0});
    append(ring, 4);
    const auto shown = ring.read(0, 0, 4);
    for (int i = 0; i < 100; ++i) {
        append(ring);
        ring.confirm(ring.size());
    }
    CHECK(holds(shown, 0, 4));
}

TEST_CASE("a bounded ring that is full says so and goes on when rows are confirmed") {
    ChainBuffer ring({x, flag}, ChainBuffer::Ring{2, 3});
    append(ring, 6);
    CHECK_THROWS_AS(append(ring), StateError);
    CHECK_THROWS_AS(append(ring, 100), StateError);
    CHECK(ring.size() == 6);
    CHECK(holds(ring.read(0, 0, 6), 0, 6));
    ring.confirm(2);
    append(ring, 2);
    CHECK(holds(ring.read(0, 2, 8), 2, 8));
    CHECK_THROWS_AS(ChainBuffer({x}, ChainBuffer::Ring{0, 0}), ValueError);
    ChainBuffer linear({x});
    CHECK_THROWS_AS(linear.confirm(0), StateError);
}

TEST_CASE("a second writer is refused") {
    ChainBuffer buffer({x, flag});
    {
        const ChainBuffer::Append writing(buffer);
        CHECK_THROWS_AS(append(buffer), StateError);
        CHECK_THROWS_AS(buffer.reset(), StateError);
        CHECK_THROWS_AS(buffer.announce(5), StateError);
    }
    CHECK_NOTHROW(append(buffer));
}

// The readers and the thread that confirms check what they see while one thread appends.
void hammer(std::optional<ChainBuffer::Ring> with_ring) {
    ChainBuffer buffer({x, flag}, with_ring);
    constexpr std::uint64_t rows = 20'000;
    std::atomic<bool> whole = true;
    const auto look = [&] {
        while (buffer.size() < rows) {
            const std::uint64_t stop = buffer.size();
            try {
                const std::uint64_t start =
                    std::max(buffer.first_row(), stop - std::min(stop, std::uint64_t{50}));
                if (start <= stop && !holds(buffer.read(0, start, stop), start, stop))
                    whole = false;
            } catch (const ValueError&) {
                // Confirmed and given up between two of the calls.
                if (!buffer.is_ring()) whole = false;
            }
            if (buffer.is_ring()) buffer.confirm(stop);
        }
    };
    std::thread reader(look);
    std::thread other(look);
    while (buffer.size() < rows) append(buffer, 1 + buffer.size() % 3);
    reader.join();
    other.join();
    CHECK(whole);
}

TEST_CASE("readers see whole rows only") { hammer(std::nullopt); }
TEST_CASE("readers of a ring see whole rows only") { hammer(ChainBuffer::Ring{16, 0}); }
