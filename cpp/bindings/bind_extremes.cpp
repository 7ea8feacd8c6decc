#include "drawstore/error.hpp"
#include "drawstore/extremes.hpp"
#include "numpy_api.hpp"

namespace drawstore::bindings {
namespace {

Kind kind_of(int size, Kind one, Kind two, Kind four, Kind eight) {
    return size == 1 ? one : size == 2 ? two : size == 4 ? four : eight;
}

// The numbers, readable where they are if they can be, and what kind they are.
std::pair<py::array, Kind> readable(const py::array& series) {
    auto* const array = reinterpret_cast<PyArrayObject*>(series.ptr());
    const int type = PyArray_TYPE(array);
    Kind kind = Kind::Float64;
    int kept = type;
    if (PyTypeNum_ISBOOL(type)) {
        kind = Kind::Bool;
    } else if (PyTypeNum_ISUNSIGNED(type)) {
        kind = kind_of(static_cast<int>(series.itemsize()), Kind::UInt8, Kind::UInt16, Kind::UInt32,
                       Kind::UInt64);
    } else if (PyTypeNum_ISINTEGER(type)) {
        kind = kind_of(static_cast<int>(series.itemsize()), Kind::Int8, Kind::Int16, Kind::Int32,
                       Kind::Int64);
    } else if (type == NPY_FLOAT) {
        kind = Kind::Float32;
    } else if (PyTypeNum_ISFLOAT(type)) {
        kept = NPY_DOUBLE;
    } else {
        throw TypeError("extremes are those of real numbers, not of dtype " +
                        py::str(series.dtype()).cast<std::string>());
    }
    auto native = py::reinterpret_steal<py::array>(
        PyArray_FromArray(array, PyArray_DescrFromType(kept),
                          NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_FORCECAST));
    if (!native) throw py::error_already_set();
    return {native, kind};
}

py::array extremes_of(const py::array& given, py::ssize_t bucket) {
    if (given.ndim() != 1) throw ValueError("extremes belong to one series");
    if (bucket < 1) throw ValueError("a bucket has at least one value");
    const auto [series, kind] = readable(given);
    const SeriesView view{static_cast<const std::byte*>(series.data()), kind,
                          static_cast<std::size_t>(series.shape(0)), series.strides(0)};
    const auto n = count_buckets(view.size, static_cast<std::size_t>(bucket));
    py::array_t<double> found({n, std::size_t{2}});
    const std::span into(found.mutable_data(), 2 * n);
    const py::gil_scoped_release released;
    extremes(view, static_cast<std::size_t>(bucket), into);
    return found;
}

}  // namespace

void bind_extremes(py::module_& m) {
    m.def("extremes", &extremes_of, py::arg("series"), py::arg("bucket"), R"(
The least and the greatest value of each bucket of a series, in the order in which they come.

The extremes of larger buckets are those of the extremes: ``extremes(found.ravel(), 2 * n)`` are
those of buckets n times as large.

Parameters
----------
series : ndarray, shape (n,)
    Real numbers, read where they are, at any stride; float16 and long double are copied.
bucket : int
    Values of a bucket; the last one may have fewer.

Returns
-------
ndarray of float64, shape (ceil(n / bucket), 2)
    Values that are not finite do not count; NaN for a bucket of no others.

Raises
------
ValueError
    For buckets of no values, and another number of axes.
TypeError
    For a series of anything but real numbers.
)");
}

}  // namespace drawstore::bindings
