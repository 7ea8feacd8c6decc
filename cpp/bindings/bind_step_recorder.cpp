// Appends the steps of an ensemble sampler to a chain buffer, or to a chain. A step costs a
// fraction of a microsecond here, so the call goes straight to C, without the dispatch of a bound
// method.
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drawstore/error.hpp"
#include "py_chain.hpp"
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

// What steps go to, a chain buffer or a chain, and what is in which of its columns.
struct Target {
    struct Place {
        std::size_t column;
        const Column* rigid;  // one of these two
        const RaggedColumn* ragged;

        const Variable& variable() const { return rigid ? rigid->variable() : ragged->variable(); }
    };

    Target(py::object rows, py::object encoder)
        : held(std::move(rows)), encode_blobs(std::move(encoder)) {
        if (py::isinstance<PyChainBuffer>(held)) {
            auto& columns = held.cast<PyChainBuffer&>();
            buffer = &columns.buffer();
            for (const Column& column : columns.columns()) add({n_columns, &column, nullptr});
        } else if (py::isinstance<PyChain>(held)) {
            auto& fields = held.cast<PyChain&>();
            chain = &fields.chain();
            for (const auto& [rigid, ragged] : fields.fields()) {
                add({n_columns, rigid ? &*rigid : nullptr, ragged ? &*ragged : nullptr});
            }
        } else {
            throw TypeError("a recorder needs a ChainBuffer or a Chain, got " +
                            py::str(py::type::of(held)).cast<std::string>());
        }
        if (!coords || !log_prob || !coords->rigid || !log_prob->rigid) {
            throw ValueError("a recorder needs the variables 'chain' and 'log_prob'");
        }
        n_walkers = static_cast<npy_intp>(log_prob->variable().row_bytes() /
                                          log_prob->variable().dtype.itemsize);
        if (random_state && random_state->variable().row_bytes() != sizeof(Mt19937State)) {
            throw ValueError("'random_state' must have rows of 2512 bytes");
        }
    }

    bool has_blobs() const { return !blobs.empty() || !encode_blobs.is_none(); }

    py::object held;
    ChainBuffer* buffer = nullptr;  // one of these two
    Chain* chain = nullptr;
    py::object encode_blobs;
    std::size_t n_columns = 0;
    npy_intp n_walkers = 0;
    std::optional<Place> coords;
    std::optional<Place> log_prob;
    std::optional<Place> accepted;
    std::optional<Place> random_state;
    std::vector<Place> blobs;

  private:
    void add(const Place& place) {
        ++n_columns;
        const std::string& name = place.variable().name;
        if (name == "chain") {
            coords = place;
        } else if (name == "log_prob") {
            log_prob = place;
        } else if (name == "accepted") {
            accepted = place;
        } else if (name == "random_state") {
            random_state = place;
        } else if (name == "blobs" || name.starts_with("blobs.")) {
            blobs.push_back(place);
        } else {
            throw ValueError("a recorder does not know what belongs into '" + name + "'");
        }
    }
};

// A step on its way into the target; nothing of it stays where it is not committed.
class Row {
  public:
    explicit Row(const Target& target) : target_(target) {
        if (target.buffer) {
            append_.emplace(*target.buffer);
            number_ = append_->row();
        } else {
            transaction_.emplace(target.chain->rows());
            number_ = target.chain->rows().size();
        }
    }

    std::uint64_t number() const { return number_; }

    // Converts blobs as far as has to be known how large they are, and makes room.
    void open(const py::object& blobs) {
        if (append_) return;
        const Layout& layout = target_.chain->layout();
        if (layout.any_ragged()) {
            sizes_.resize(target_.n_columns + (layout.n_stats() > 0 ? 1 : 0));
            for (const Target::Place& place : target_.blobs) {
                if (!place.ragged) continue;
                taken_.push_back(place.ragged->take(blob_of(blobs, place)));
                sizes_[place.column] = encoded_bytes(place.variable(), taken_.back().value);
            }
        }
        slots_ = target_.chain->rows().room(1, sizes_);
        if (layout.n_stats() > 0) {
            std::memset(slots_.at(layout.missing_column()), 0, layout.missing_bytes());
        }
    }

    std::byte* at(const Target::Place& place) const {
        return append_ ? append_->at(place.column) : slots_.at(place.column);
    }

    void store(const Target::Place& place, const py::object& value) const {
        place.rigid->store(value.ptr(), at(place));
    }

    void store_blobs(const py::object& blobs) const {
        auto taken = taken_.begin();
        for (const Target::Place& place : target_.blobs) {
            if (place.ragged) {
                encode(place.variable(), (taken++)->value, at(place));
            } else {
                store(place, blob_of(blobs, place));
            }
        }
    }

    void commit() {
        if (append_) {
            append_->commit();
        } else {
            transaction_->commit();
        }
    }

  private:
    // Blobs of several variables are a mapping.
    static py::object blob_of(const py::object& blobs, const Target::Place& place) {
        if (!PyDict_Check(blobs.ptr())) return blobs;
        return blobs[py::str(place.variable().name)];
    }

    const Target& target_;
    std::uint64_t number_ = 0;
    std::optional<ChainBuffer::Append> append_;  // one of these two
    std::optional<Rows::Transaction> transaction_;
    Rows::Slots slots_;
    std::vector<std::size_t> sizes_;
    std::vector<RaggedColumn::Taken> taken_;
};

class StepRecorder {
  public:
    StepRecorder(py::object buffer, py::object counts, py::object encode_blobs)
        : accepted(std::move(counts)),
          target_(std::make_shared<Target>(std::move(buffer), std::move(encode_blobs))) {}

    void switch_to(py::object buffer, py::object encode_blobs) {
        target_ = std::make_shared<Target>(std::move(buffer), std::move(encode_blobs));
    }

    // Whether the row is one the owner asked to be told of.
    bool save_step(PyObject* state, PyObject* flags) {
        static PyObject* const coords_name = PyUnicode_InternFromString("coords");
        static PyObject* const log_prob_name = PyUnicode_InternFromString("log_prob");
        static PyObject* const blobs_name = PyUnicode_InternFromString("blobs");
        static PyObject* const random_state_name = PyUnicode_InternFromString("random_state");
        if (const py::object first = prepare; !first.is_none()) first();
        const std::shared_ptr<Target> target = target_;  // a callback may switch to another
        const py::object coords = attribute(state, coords_name);
        const py::object log_prob = attribute(state, log_prob_name);
        py::object blobs = attribute(state, blobs_name);
        py::object next_state = attribute(state, random_state_name);
        check_blobs(*target, blobs);
        check_flags(*target, flags);

        Row row(*target);
        if (!target->encode_blobs.is_none()) blobs = target->encode_blobs(row.number(), blobs);
        row.open(blobs);
        row.store(*target->coords, coords);
        row.store(*target->log_prob, log_prob);
        row.store_blobs(blobs);
        if (target->random_state) {
            store_state(next_state, row.number(), row.at(*target->random_state));
        }
        add_accepted(*target, flags);
        if (target->accepted) row.store(*target->accepted, accepted);
        std::swap(random_state, next_state);
        row.commit();
        return row.number() + 1 >= notify_at;
    }

    py::dict take_other_states() { return std::exchange(other_states_, py::dict()); }

    py::object accepted;
    py::object random_state = py::none();
    py::object prepare = py::none();
    std::uint64_t notify_at = ~std::uint64_t{0};

  private:
    static void check_blobs(const Target& target, const py::object& blobs) {
        const bool wants = target.has_blobs();
        if (blobs.is_none() == wants) {
            throw ValueError(wants ? "expected blobs, but none were given"
                                   : "unexpected blobs: earlier steps had none");
        }
        if (wants && py::hasattr(blobs, "__len__") &&
            static_cast<npy_intp>(py::len(blobs)) != target.n_walkers) {
            throw ValueError("invalid blobs size; expected " + std::to_string(target.n_walkers));
        }
    }

    static void check_flags(const Target& target, PyObject* flags) {
        auto* array = reinterpret_cast<PyArrayObject*>(flags);
        if (!PyArray_Check(flags) || PyArray_NDIM(array) != 1 ||
            PyArray_DIM(array, 0) != target.n_walkers) {
            throw ValueError("invalid acceptance size; expected an array of " +
                             std::to_string(target.n_walkers));
        }
    }

    void store_state(const py::object& state, std::uint64_t row, std::byte* slot) {
        Mt19937State encoded;
        if (!encode_state(state.ptr(), encoded)) {
            std::memset(&encoded, 0, sizeof encoded);
            encoded.position = -1;
            other_states_[py::int_(row)] = state;
        }
        std::memcpy(slot, &encoded, sizeof encoded);
    }

    // accepted += flags, in place, as emcee does: whoever holds the array sees it count.
    void add_accepted(const Target& target, PyObject* flags) {
        auto* total = reinterpret_cast<PyArrayObject*>(accepted.ptr());
        auto* step = reinterpret_cast<PyArrayObject*>(flags);
        if (PyArray_Check(accepted.ptr()) && PyArray_TYPE(total) == NPY_DOUBLE &&
            PyArray_ISCARRAY(total) && PyArray_SIZE(total) == target.n_walkers &&
            PyArray_TYPE(step) == NPY_BOOL && PyArray_IS_C_CONTIGUOUS(step)) {
            auto* counts = static_cast<double*>(PyArray_DATA(total));
            const auto* accepts = static_cast<const npy_bool*>(PyArray_DATA(step));
            for (npy_intp i = 0; i < target.n_walkers; ++i) counts[i] += accepts[i];
            return;
        }
        const py::object counted = accepted;
        auto sum = py::reinterpret_steal<py::object>(PyNumber_InPlaceAdd(counted.ptr(), flags));
        if (!sum) throw py::error_already_set();
        accepted = std::move(sum);
    }

    std::shared_ptr<Target> target_;
    py::dict other_states_;
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
Appends the steps of an ensemble sampler to a chain buffer, or to a chain.

Parameters
----------
buffer : ChainBuffer or Chain
    With the variables "chain", shape (n_walkers, n_dim), and "log_prob", shape (n_walkers,); with
    "blobs", or several whose names begin with "blobs.", where steps bring blobs; with the hidden
    variables or stats "accepted", float64, shape (n_walkers,), and "random_state", 2512 bytes,
    where each row is to carry what a resumed run needs: the accepted steps so far, and the state of
    NumPy's RandomState.
accepted : ndarray, shape (n_walkers,)
    Counts the accepted steps of each walker, in place.
encode_blobs : callable, optional
    Called with the row's number and the blobs of a step; returns what goes into "blobs", or a dict
    of what goes into which variable.

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
        .def("switch_to", &StepRecorder::switch_to, py::arg("buffer"),
             py::arg("encode_blobs") = py::none(),
             "Append the following steps to another buffer or chain, by the same function "
             "`save_step`.")
        .def_readwrite("prepare", &StepRecorder::prepare,
                       "Called before each step, where it is not None.")
        .def_readwrite("accepted", &StepRecorder::accepted, "Accepted steps of each walker so far.")
        .def_readwrite("random_state", &StepRecorder::random_state,
                       "The random state that the last step brought.")
        .def_readwrite("notify_at", &StepRecorder::notify_at,
                       "The number of rows from which on save_step returns True.")
        .def("take_other_states", &StepRecorder::take_other_states,
             "Random states of rows that were not of RandomState's form, by row; forgotten here.")
        .def_property_readonly("initialized", &not_a_backend,
                               "Not there: emcee is told which classes are backends.");
}

}  // namespace drawstore::bindings
