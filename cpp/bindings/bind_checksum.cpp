#include <algorithm>

#include "drawstore/checksum.hpp"
#include "drawstore/error.hpp"
#include "pybind.hpp"

namespace drawstore::bindings {
namespace {

py::bytes sector_sums(const py::buffer& data, std::size_t sector) {
    if (sector == 0) throw ValueError("a sector has at least one byte");
    const py::buffer_info info = data.request();
    const std::span<const std::byte> bytes = bytes_of(info);
    std::string sums;
    for (std::size_t start = 0; start < bytes.size(); start += sector) {
        const std::uint32_t sum =
            crc32c(bytes.subspan(start, std::min(sector, bytes.size() - start)));
        for (int shift = 0; shift < 32; shift += 8) sums.push_back(static_cast<char>(sum >> shift));
    }
    return sums;
}

}  // namespace

std::span<const std::byte> bytes_of(const py::buffer_info& info) {
    if (PyBuffer_IsContiguous(info.view(), 'C') == 0) {
        throw ValueError("expected contiguous bytes, got a buffer with gaps");
    }
    return {static_cast<const std::byte*>(info.ptr),
            static_cast<std::size_t>(info.size * info.itemsize)};
}

void bind_checksum(py::module_& m) {
    m.def(
        "fletcher32", [](const py::buffer& data) { return fletcher32(bytes_of(data.request())); },
        py::arg("data"),
        "Fletcher's 32-bit checksum of contiguous bytes, as HDF5's fletcher32 filter computes it.");
    m.def(
        "crc32c", [](const py::buffer& data) { return crc32c(bytes_of(data.request())); },
        py::arg("data"), "CRC-32C of contiguous bytes.");
    m.def("sector_sums", &sector_sums, py::arg("data"), py::arg("sector"),
          "CRC-32C of each run of ``sector`` bytes, four bytes each, little-endian.");
}

}  // namespace drawstore::bindings
