// Backends and runs of the core. What Python's Backend and Run add is in drawstore/backends.
#include <chrono>
#include <limits>
#include <map>
#include <mutex>

#include "drawstore/error.hpp"
#include "drawstore/file_backend.hpp"
#include "drawstore/memory_backend.hpp"
#include "drawstore/run.hpp"
#include "py_chain.hpp"
#include "run_meta.hpp"

namespace drawstore::bindings {
namespace {

std::int64_t microseconds(Time time) { return time.time_since_epoch().count(); }

class PyRun {
  public:
    PyRun(std::shared_ptr<Run> run, py::object origin)
        : run_(std::move(run)), origin_(std::move(origin)) {}

    Run& run() const noexcept { return *run_; }

    std::shared_ptr<PyChain> init_chain(std::int64_t number, bool resume) {
        if (number < 0 || number > std::numeric_limits<std::uint32_t>::max()) {
            throw ValueError("chains are numbered from 0 to 4294967295, got " +
                             std::to_string(number));
        }
        return wrap(run_->init_chain(static_cast<std::uint32_t>(number),
                                     resume ? Run::Existing::Resume : Run::Existing::Refuse));
    }

    std::vector<std::shared_ptr<PyChain>> get_chains() {
        std::vector<std::shared_ptr<PyChain>> chains;
        for (auto& chain : run_->get_chains()) chains.push_back(wrap(std::move(chain)));
        return chains;
    }

  private:
    // One handle a chain: the same object wherever it is asked for, as long as somebody holds it.
    std::shared_ptr<PyChain> wrap(std::shared_ptr<Chain> chain) {
        static std::map<const Chain*, std::weak_ptr<PyChain>> handles;  // the GIL guards it
        std::erase_if(handles, [](const auto& entry) { return entry.second.expired(); });
        auto& handle = handles[chain.get()];
        if (auto known = handle.lock()) return known;
        auto made = std::make_shared<PyChain>(std::move(chain), origin_);
        handle = made;
        return made;
    }

    std::shared_ptr<Run> run_;
    py::object origin_;
};

class PyBackend {
  public:
    PyBackend(std::shared_ptr<Backend> backend, py::object origin)
        : backend_(std::move(backend)), origin_(std::move(origin)) {}

    std::shared_ptr<PyRun> init_run(std::string rid, const std::vector<VariableTuple>& variables,
                                    const std::vector<VariableTuple>& sample_stats,
                                    const py::bytes& message) {
        return std::make_shared<PyRun>(
            backend_->init_run(run_meta_from({std::move(rid), variables, sample_stats, message})),
            origin_);
    }

    py::list get_runs() const {
        py::list infos;
        for (const RunInfo& info : backend_->get_runs()) {
            infos.append(
                py::make_tuple(info.rid, microseconds(info.created_at), info.chains, info.bytes));
        }
        return infos;
    }

    std::shared_ptr<PyRun> get_run(const std::string& rid) {
        return std::make_shared<PyRun>(backend_->get_run(rid), origin_);
    }

    void delete_run(const std::string& rid) { backend_->delete_run(rid); }

  private:
    std::shared_ptr<Backend> backend_;
    py::object origin_;
};

}  // namespace

void bind_run(py::module_& m) {
    py::class_<PyRun, std::shared_ptr<PyRun>>(m, "CoreRun", py::is_final(), plain_metaclass(),
                                              never_constructed,
                                              "A run of the core, which `drawstore.Run` wraps.")
        .def_property_readonly("rid", [](const PyRun& self) { return self.run().meta().rid; })
        .def_property_readonly(
            "variables", [](const PyRun& self) { return tuples_of(self.run().meta().variables); })
        .def_property_readonly(
            "sample_stats",
            [](const PyRun& self) { return tuples_of(self.run().meta().sample_stats); })
        .def_property_readonly(
            "message", [](const PyRun& self) { return py::bytes(self.run().meta().message); },
            "The RunMeta as bytes; empty where a C++ program gave none.")
        .def_property_readonly(
            "created_at", [](const PyRun& self) { return microseconds(self.run().created_at()); },
            "Microseconds since 1970, UTC.")
        .def_property_readonly("size", [](const PyRun& self) { return self.run().bytes(); })
        .def("init_chain", &PyRun::init_chain, py::arg("chain_number"), py::arg("resume"))
        .def("get_chains", &PyRun::get_chains);

    py::class_<PyBackend, std::shared_ptr<PyBackend>>(
        m, "CoreBackend", py::is_final(), plain_metaclass(), never_constructed,
        "A backend of the core, which `drawstore.Backend` wraps.")
        .def("init_run", &PyBackend::init_run, py::arg("rid"), py::arg("variables"),
             py::arg("sample_stats"), py::arg("message"))
        .def("get_runs", &PyBackend::get_runs)
        .def("get_run", &PyBackend::get_run, py::arg("rid"))
        .def("delete_run", &PyBackend::delete_run, py::arg("rid"));

    m.def(
        "memory_backend",
        [](std::uint64_t preallocate) {
            return std::make_shared<PyBackend>(std::make_shared<MemoryBackend>(preallocate),
                                               py::none());
        },
        py::arg("preallocate"), "Make a backend in memory.");
    m.def(
        "file_backend",
        [](const std::string& directory, bool writable, const std::string& store,
           double sync_interval) {
            return std::make_shared<PyBackend>(
                std::make_shared<FileBackend>(directory, writable ? Mode::Write : Mode::Read,
                                              tail_store_from("store", store), sync_interval),
                py::str(directory));
        },
        py::arg("directory"), py::arg("writable"), py::arg("store"), py::arg("sync_interval"),
        "Make a backend in files.");
    m.def(
        "files_are_mapped",
        [](const std::string& directory, const std::string& store) {
            return FileBackend(directory, Mode::Read, tail_store_from("store", store)).is_mapped();
        },
        py::arg("directory"), py::arg("store"), "How new rows get into files there.");
    m.def(
        "run_folder",
        [](const std::string& directory, const std::string& rid) {
            return FileBackend(directory, Mode::Read).folder(rid).string();
        },
        py::arg("directory"), py::arg("rid"), "The folder of a run of a backend in files.");
    m.def(
        "take_run",
        [](const std::string& directory, const std::string& from, const std::string& rid) {
            const py::gil_scoped_release release;
            FileBackend(directory).take_run(FileBackend(from, Mode::Read), rid);
        },
        py::arg("directory"), py::arg("source"), py::arg("rid"),
        "Move a closed run of one backend in files to another, in place of the run of its id.");
    m.def("fresh_rid", &fresh_rid, "Make an id that no other run has.");
    m.def("resume_syncing", &resume_syncing,
          "After a fork, in the parent: go on to make durable what was appended before.");
}

}  // namespace drawstore::bindings
