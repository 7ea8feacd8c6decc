#include <algorithm>
#include <array>

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

// Chunks of a dataset as HDF5 has them in a file: bytes, and behind them their checksum.
py::array_t<std::uint8_t> fletcher_chunks(const py::buffer& head, const py::array& rows,
                                          std::size_t chunk_bytes) {
    if (chunk_bytes == 0) throw ValueError("a chunk has at least one byte");
    if ((rows.flags() & py::array::c_style) == 0) throw ValueError("expected contiguous rows");
    const py::buffer_info info = head.request();
    const std::array<std::span<const std::byte>, 2> pieces{
        bytes_of(info), std::span(static_cast<const std::byte*>(rows.data()),
                                  static_cast<std::size_t>(rows.nbytes()))};
    const std::size_t bytes = pieces[0].size() + pieces[1].size();
    const std::size_t n = bytes / chunk_bytes + (bytes % chunk_bytes != 0);
    py::array_t<std::uint8_t> chunks({n, chunk_bytes + fletcher32_bytes});
    const std::span into(reinterpret_cast<std::byte*>(chunks.mutable_data()),
                         static_cast<std::size_t>(chunks.nbytes()));
    const py::gil_scoped_release released;
    put_into_chunks(pieces, chunk_bytes, into);
    return chunks;
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
        "fletcher_chunks", &fletcher_chunks, py::arg("head"), py::arg("rows"),
        py::arg("chunk_bytes"),
        "The bytes of ``head`` and ``rows``, one behind the other, cut into chunks, the last one\n"
        "filled up with zeros; behind each chunk its checksum, as the fletcher32 filter puts it.\n"
        "Gives an array of shape (n, chunk_bytes + 4).");
    m.def(
        "crc32c",
        [](const py::buffer& data, std::uint32_t before) {
            const py::buffer_info info = data.request();
            const std::span<const std::byte> bytes = bytes_of(info);
            const py::gil_scoped_release released;
            return crc32c(bytes, before);
        },
        py::arg("data"), py::arg("before") = 0,
        "CRC-32C of contiguous bytes, and of those whose sum was ``before`` in front of them.");
    m.def("sector_sums", &sector_sums, py::arg("data"), py::arg("sector"),
          "CRC-32C of each run of ``sector`` bytes, four bytes each, little-endian.");
}

}  // namespace drawstore::bindings
