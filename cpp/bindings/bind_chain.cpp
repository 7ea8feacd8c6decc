// The class Chain. append() is called once a draw, so it goes straight to C, without the dispatch
// of a bound method.
#include <array>
#include <cstring>

#include "drawstore/error.hpp"
#include "py_chain.hpp"

namespace drawstore::bindings {
namespace {

PyChain& chain_of(PyObject* self) {
    // Called through a descriptor of the type, of which nothing else is derived than JournalChain.
    auto* instance = reinterpret_cast<py::detail::instance*>(self);
    return *instance->get_value_and_holder().value_ptr<PyChain>();
}

PyObject* append(PyObject* self, PyObject* const* args, Py_ssize_t n_args, PyObject* keywords) {
    std::array<PyObject*, 2> values{nullptr, nullptr};
    static constexpr std::array names{"draw", "stats"};
    const Py_ssize_t n_keywords = keywords ? PyTuple_GET_SIZE(keywords) : 0;
    bool fits = n_args <= 2;
    for (Py_ssize_t i = 0; fits && i < n_args; ++i) values[static_cast<std::size_t>(i)] = args[i];
    for (Py_ssize_t k = 0; fits && k < n_keywords; ++k) {
        std::size_t i = 0;
        while (i < names.size() &&
               PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, k), names[i]) != 0) {
            ++i;
        }
        fits = i < names.size() && !values[i];
        if (fits) values[i] = args[n_args + k];
    }
    if (!fits || !values[0]) {
        PyErr_SetString(PyExc_TypeError, "append takes a draw, and optionally stats");
        return nullptr;
    }
    try {
        PyChain& chain = chain_of(self);
        chain.append(values[0], values[1]);
        return Py_NewRef(chain.has_to_tell() ? Py_True : Py_None);
    } catch (...) {
        set_python_error(std::current_exception());
        return nullptr;
    }
}

PyMethodDef append_definition = {
    "append", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&append)),
    METH_FASTCALL | METH_KEYWORDS,
    "append($self, draw, stats=None)\n--\n\nAppend one draw: see `drawstore.Chain.append`."};

}  // namespace

void bind_chain(py::module_& m) {
    const py::slice all(std::nullopt, std::nullopt, std::nullopt);
    py::class_<PyChain, std::shared_ptr<PyChain>> chain(m, "Chain", plain_metaclass(),
                                                        never_constructed, R"(
A handle on one chain, in memory or in a file: see `drawstore.Chain`, whose methods these are.
)");
    chain
        .def_property_readonly(
            "rid", [](const PyChain& self) { return self.chain().meta().rid; },
            "The id of the run.")
        .def_property_readonly(
            "chain_number", [](const PyChain& self) { return self.chain().chain_number(); },
            "The number of the chain in its run.")
        .def_property_readonly("origin", &PyChain::origin,
                               "The directory that a stored chain is in; None in memory.")
        .def_property_readonly(
            "message", [](const PyChain& self) { return py::bytes(self.chain().meta().message); },
            "The RunMeta of the run as bytes.")
        .def("__len__", [](const PyChain& self) { return self.chain().size(); })
        .def(
            "extend",
            [](PyChain& self, const py::handle& draws, const py::handle& stats) -> py::object {
                self.extend(draws, stats);
                if (!self.has_to_tell()) return py::none();
                return py::bool_(true);
            },
            py::arg("draws"), py::arg("stats") = py::none(),
            "Append a block of draws: see `drawstore.Chain.extend`.")
        .def(
            "announce",
            [](PyChain& self, std::uint64_t n_draws) { self.chain().announce(n_draws); },
            py::arg("n_draws"), "Say how many draws there will be in all.")
        .def(
            "get_draws",
            [](const PyChain& self, const std::string& name, const py::slice& slc) {
                return self.get(PyChain::Part::Draws, name, slc);
            },
            py::arg("name"), py::arg("slc") = all,
            "Give draws of one variable: see `drawstore.Chain.get_draws`.")
        .def(
            "get_stats",
            [](const PyChain& self, const std::string& name, const py::slice& slc) {
                return self.get(PyChain::Part::Stats, name, slc);
            },
            py::arg("name"), py::arg("slc") = all,
            "Give values of one sampler stat: see `drawstore.Chain.get_stats`.")
        .def(
            "get_draws_at",
            [](const PyChain& self, py::ssize_t i, const py::object& names) {
                return self.get_at(PyChain::Part::Draws, i, names);
            },
            py::arg("i"), py::arg("names") = py::none(),
            "Give one draw: see `drawstore.Chain.get_draws_at`.")
        .def(
            "get_stats_at",
            [](const PyChain& self, py::ssize_t i, const py::object& names) {
                return self.get_at(PyChain::Part::Stats, i, names);
            },
            py::arg("i"), py::arg("names") = py::none(),
            "Give the sampler stats of one draw: see `drawstore.Chain.get_stats_at`.")
        .def(
            "flush",
            [](PyChain& self, bool sync) {
                const py::gil_scoped_release released;
                self.chain().flush(sync);
            },
            py::arg("sync") = false, "Deliver all draws; with ``sync``, also past a power loss.")
        .def(
            "close",
            [](PyChain& self) {
                const py::gil_scoped_release released;
                self.chain().close();
            },
            "Refuse further draws; reading goes on.")
        .def("__enter__", [](const py::object& self) { return self; })
        .def("__exit__",
             [](PyChain& self, const py::args&) {
                 const py::gil_scoped_release released;
                 self.chain().close();
             })
        .def("__reduce__", [](const py::object& self) {
            return py::module_::import("drawstore.backends.pickling").attr("reduce_chain")(self);
        });
    auto method = py::reinterpret_steal<py::object>(
        PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(chain.ptr()), &append_definition));
    if (!method) throw py::error_already_set();
    chain.attr("append") = method;
}

}  // namespace drawstore::bindings
