#include <optional>
#include <utility>
#include <vector>

#include "drawstore/file_io.hpp"
#include "pybind.hpp"

namespace drawstore::bindings {
namespace {

// Who gives the interpreter up has to ask for it again, and waits 5 ms for a thread that computes.
// So it is kept for what takes less than a millisecond.
constexpr std::size_t few_bytes = std::size_t{256} << 10;

std::size_t read_into(int descriptor, const py::buffer& target, std::uint64_t offset) {
    const py::buffer_info info = target.request(true);
    const auto into = bytes_of(info);
    std::optional<py::gil_scoped_release> released;
    if (into.size() > few_bytes) released.emplace();
    return read_at(descriptor, offset, {const_cast<std::byte*>(into.data()), into.size()});
}

void write_pieces(int descriptor, const std::vector<std::pair<std::uint64_t, py::buffer>>& pieces,
                  bool sync) {
    std::vector<py::buffer_info> held;
    std::vector<PlacedBytes> placed;
    std::size_t bytes = 0;
    for (const auto& [offset, data] : pieces) {
        held.push_back(data.request());
        placed.push_back({offset, bytes_of(held.back())});
        bytes += placed.back().bytes.size();
    }
    std::optional<py::gil_scoped_release> released;
    if (sync || bytes > few_bytes) released.emplace();
    for (const PlacedBytes& piece : placed) write_at(descriptor, piece);
    if (sync) sync_contents(descriptor);
}

void reserve(int descriptor, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& ranges) {
    const py::gil_scoped_release released;
    for (const auto& [begin, end] : ranges) allocate_at(descriptor, begin, end);
}

}  // namespace

void bind_file_io(py::module_& m) {
    m.def("read_into", &read_into, py::arg("fd"), py::arg("target"), py::arg("offset"),
          "Fill ``target`` from a place of an open file on; returns the bytes there were.");
    m.def("write_pieces", &write_pieces, py::arg("fd"), py::arg("pieces"), py::arg("sync") = false,
          "Write bytes to places of an open file, in order; with ``sync``, return when the\n"
          "contents of the file survive a loss of power.");
    m.def(
        "reserve", &reserve, py::arg("fd"), py::arg("ranges"),
        "Get space on the disk for ranges (begin, end) of an open file, which becomes as long as\n"
        "the last of them; what is there stays as it is.");
}

}  // namespace drawstore::bindings
