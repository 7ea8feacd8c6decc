// Appends the steps of an ensemble sampler to a chain buffer. A step costs a fraction of a
// microsecond here, so the call goes straight to C, without the dispatch of a bound method.
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "drawstore/error.hpp"
#include "py_chain_buffer.hpp"

namespace drawstore::bindings {
namespace {

// The state of NumPy's RandomState, as the hidden variable "random_state" keeps it in each row.
struct Mt19937State {
    std::uint32_t key[624];
    std::int32_t position;  // -1: the step brought no such state
    std::int32_t has_gauss;
    double cached_gaussian;
};
static_assert(sizeof(Mt19937State) == 2512);

py::object attribute(PyObject* object, PyObject* name) {
    auto value = py::reinterpret_steal<py::object>(PyObject_GetAttr(object, name));
    if (!value) throw py::error_already_set();
    return value;
}

// Takes apart ("MT19937", key, position, has_gauss, cached_gaussian); false where it is not that.
bool encode_state(PyObject* state, Mt19937State& encoded) {
    if (!PyTuple_Check(state) || PyTuple_GET_SIZE(state) != 5) return false;
    PyObject* name = PyTuple_GET_ITEM(state, 0);
    if (!PyUnicode_Check(name) || PyUnicode_CompareWithASCIIString(name, "MT19937") != 0) {
        return false;
    }
    PyObject* key = PyTuple_GET_ITEM(state, 1);
    if (!PyArray_Check(key)) return false;
    auto* array = reinterpret_cast<PyArrayObject*>(key);
    if (PyArray_TYPE(array) != NPY_UINT32 || !PyArray_ISCARRAY_RO(array) ||
        PyArray_NBYTES(array) != static_cast<npy_intp>(sizeof(encoded.key))) {
        return false;
    }
    const long position = PyLong_AsLong(PyTuple_GET_ITEM(state, 2));
    const long has_gauss = PyLong_AsLong(PyTuple_GET_ITEM(state, 3));
    const double gaussian = PyFloat_AsDouble(PyTuple_GET_ITEM(state, 4));
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return false;
    }
    std::memcpy(encoded.key, PyArray_DATA(array), sizeof(encoded.key));
    encoded.position = static_cast<std::int32_t>(position);
    encoded.has_gauss = static_cast<std::int32_t>(has_gauss);
    encoded.cached_gaussian = gaussian;
    return true;
}

PyChainBuffer& chain_buffer(const py::object& buffer) {
    if (!py::isinstance<PyChainBuffer>(buffer)) {
        throw TypeError("a recorder needs a ChainBuffer, got " +
                        py::str(py::type::of(buffer)).cast<std::string>());
    }
    return buffer.cast<PyChainBuffer&>();
}

class StepRecorder {
  public:
    StepRecorder(py::object buffer, py::object accepted, py::object encode_blobs)
        : random_state(py::none()),
          held_(std::move(buffer)),
          buffer_(chain_buffer(held_)),
          accepted_(std::move(accepted)),
          encode_blobs_(std::move(encode_blobs)) {
        const auto& columns = buffer_.columns();
        chain_ = buffer_.buffer().find("chain");
        log_prob_ = buffer_.buffer().find("log_prob");
        n_walkers_ = static_cast<npy_intp>(columns[log_prob_].variable().row_bytes() /
                                           columns[log_prob_].variable().dtype.itemsize);
        for (std::size_t c = 0; c < columns.size(); ++c) {
            const std::string& name = columns[c].variable().name;
            if (name == "blobs") blobs_ = c;
            if (name == "accepted") accepted_column_ = c;
            if (name == "random_state") state_column_ = c;
        }
        if (state_column_ &&
            columns[*state_column_].variable().row_bytes() != sizeof(Mt19937State)) {
            throw ValueError("'random_state' must have rows of 2512 bytes");
        }
    }

    // Whether the row is one the owner asked to be told of.
    bool save_step(PyObject* state, PyObject* accepted) {
        static PyObject* const coords_name = PyUnicode_InternFromString("coords");
        static PyObject* const log_prob_name = PyUnicode_InternFromString("log_prob");
        static PyObject* const blobs_name = PyUnicode_InternFromString("blobs");
        static PyObject* const random_state_name = PyUnicode_InternFromString("random_state");
        const auto& columns = buffer_.columns();
        const py::object coords = attribute(state, coords_name);
        const py::object log_prob = attribute(state, log_prob_name);
        py::object blobs = attribute(state, blobs_name);
        py::object next_state = attribute(state, random_state_name);
        check_blobs(blobs);
        if (!PyArray_Check(accepted) ||
            PyArray_NDIM(reinterpret_cast<PyArrayObject*>(accepted)) != 1 ||
            PyArray_DIM(reinterpret_cast<PyArrayObject*>(accepted), 0) != n_walkers_) {
            throw ValueError("invalid acceptance size; expected an array of " +
                             std::to_string(n_walkers_));
        }

        ChainBuffer::Append row(buffer_.buffer());
        columns[chain_].store(coords.ptr(), row.at(chain_));
        columns[log_prob_].store(log_prob.ptr(), row.at(log_prob_));
        if (!encode_blobs_.is_none()) blobs = encode_blobs_(row.row(), blobs);
        if (blobs_) columns[*blobs_].store(blobs.ptr(), row.at(*blobs_));
        if (state_column_) store_state(next_state, row);
        add_accepted(accepted);
        if (accepted_column_) {
            columns[*accepted_column_].store(accepted_.ptr(), row.at(*accepted_column_));
        }
        std::swap(random_state, next_state);
        row.commit();
        return row.row() + 1 >= notify_at;
    }

    py::dict take_other_states() { return std::exchange(other_states_, py::dict()); }
    py::object accepted() const { return accepted_; }
    void set_accepted(py::object accepted) { accepted_ = std::move(accepted); }

    py::object random_state;
    std::uint64_t notify_at = ~std::uint64_t{0};

  private:
    void check_blobs(const py::object& blobs) const {
        const bool wants = blobs_.has_value() || !encode_blobs_.is_none();
        if (blobs.is_none() == !wants) {
            if (wants && py::hasattr(blobs, "__len__") &&
                static_cast<npy_intp>(py::len(blobs)) != n_walkers_) {
                throw ValueError("invalid blobs size; expected " + std::to_string(n_walkers_));
            }
            return;
        }
        throw ValueError(wants ? "expected blobs, but none were given"
                               : "unexpected blobs: earlier steps had none");
    }

    void store_state(const py::object& next_state, const ChainBuffer::Append& row) {
        Mt19937State encoded;
        if (!encode_state(next_state.ptr(), encoded)) {
            std::memset(&encoded, 0, sizeof encoded);
            encoded.position = -1;
            other_states_[py::int_(row.row())] = next_state;
        }
        std::memcpy(row.at(*state_column_), &encoded, sizeof encoded);
    }

    // accepted_ += accepted, in place, as emcee does: whoever holds the array sees it count.
    void add_accepted(PyObject* accepted) {
        auto* total = reinterpret_cast<PyArrayObject*>(accepted_.ptr());
        auto* step = reinterpret_cast<PyArrayObject*>(accepted);
        if (PyArray_Check(accepted_.ptr()) && PyArray_TYPE(total) == NPY_DOUBLE &&
            PyArray_ISCARRAY(total) && PyArray_SIZE(total) == n_walkers_ &&
            PyArray_TYPE(step) == NPY_BOOL && PyArray_IS_C_CONTIGUOUS(step)) {
            auto* counts = static_cast<double*>(PyArray_DATA(total));
            const auto* flags = static_cast<const npy_bool*>(PyArray_DATA(step));
            for (npy_intp i = 0; i < n_walkers_; ++i) counts[i] += flags[i];
            return;
        }
        auto sum =
            py::reinterpret_steal<py::object>(PyNumber_InPlaceAdd(accepted_.ptr(), accepted));
        if (!sum) throw py::error_already_set();
        accepted_ = std::move(sum);
    }

    py::object held_;
    PyChainBuffer& buffer_;
    py::object accepted_;
    py::object encode_blobs_;
    py::dict other_states_;
    std::size_t chain_ = 0;
    std::size_t log_prob_ = 0;
    npy_intp n_walkers_ = 0;
    std::optional<std::size_t> blobs_;
    std::optional<std::size_t> accepted_column_;
    std::optional<std::size_t> state_column_;
};

PyObject* save_step(PyObject* capsule, PyObject* const* args, Py_ssize_t n_args) {
    auto* recorder = static_cast<std::shared_ptr<StepRecorder>*>(
        PyCapsule_GetPointer(capsule, "drawstore.StepRecorder"));
    if (!recorder) return nullptr;
    if (n_args != 2) {
        PyErr_SetString(PyExc_TypeError, "save_step takes a state and an array of accepted flags");
        return nullptr;
    }
    try {
        return Py_NewRef((*recorder)->save_step(args[0], args[1]) ? Py_True : Py_None);
    } catch (...) {
        set_python_error(std::current_exception());
        return nullptr;
    }
}

py::object bound_save_step(const std::shared_ptr<StepRecorder>& recorder) {
    static PyMethodDef definition = {
        "save_step", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&save_step)),
        METH_FASTCALL,
        "save_step(state, accepted)\n--\n\nAppend one step; True where the row is one to be told "
        "of, else None."};
    auto capsule = py::reinterpret_steal<py::object>(PyCapsule_New(
        new std::shared_ptr<StepRecorder>(recorder), "drawstore.StepRecorder", [](PyObject* held) {
            delete static_cast<std::shared_ptr<StepRecorder>*>(
                PyCapsule_GetPointer(held, "drawstore.StepRecorder"));
        }));
    if (!capsule) throw py::error_already_set();
    auto function = py::reinterpret_steal<py::object>(PyCFunction_New(&definition, capsule.ptr()));
    if (!function) throw py::error_already_set();
    return function;
}

}  // namespace

void bind_step_recorder(py::module_& m) {
    py::class_<StepRecorder, std::shared_ptr<StepRecorder>>(
        m, "StepRecorder", py::is_final(), plain_metaclass(), constructed_by_new, R"(
Appends the steps of an ensemble sampler to a chain buffer.

Parameters
----------
buffer : ChainBuffer
    With the variables "chain", shape (n_walkers, n_dim), and "log_prob", shape (n_walkers,); with
    "blobs" where steps bring blobs; with the hidden variables "accepted", float64, shape
    (n_walkers,), and "random_state", 2512 bytes, where each row is to carry what a resumed run
    needs: the accepted steps so far, and the state of NumPy's RandomState.
accepted : ndarray, shape (n_walkers,)
    Counts the accepted steps of each walker, in place.
encode_blobs : callable, optional
    Called with the row's number and the blobs of a step; returns what goes into "blobs".

Notes
-----
Only the thread that samples uses it. It must hold no reference to an object that holds the
recorder: the garbage collector does not see through it.
)")
        .def(py::init<py::object, py::object, py::object>(), py::arg("buffer"), py::arg("accepted"),
             py::arg("encode_blobs") = py::none())
        .def_property_readonly("save_step", &bound_save_step,
                               "The function (state, accepted) that appends one step. It returns "
                               "True from row `notify_at` on, else None.")
        .def_property("accepted", &StepRecorder::accepted, &StepRecorder::set_accepted,
                      "Accepted steps of each walker so far.")
        .def_readwrite("random_state", &StepRecorder::random_state,
                       "The random state that the last step brought.")
        .def_readwrite("notify_at", &StepRecorder::notify_at,
                       "The number of rows from which on save_step returns True.")
        .def("take_other_states", &StepRecorder::take_other_states,
             "Random states of rows that were not of RandomState's form, by row; forgotten here.");
}

}  // namespace drawstore::bindings
