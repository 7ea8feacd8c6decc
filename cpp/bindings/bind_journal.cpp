// Journals, and what is found in the file of one.
#include <algorithm>
#include <optional>
#include <string>

#include "drawstore/error.hpp"
#include "drawstore/journal.hpp"
#include "py_chain.hpp"
#include "run_meta.hpp"

namespace drawstore::bindings {
namespace {

JournalId id_from(const py::bytes& bytes) {
    const std::string_view given = bytes;
    JournalId id;
    if (given.size() != id.size()) {
        throw ValueError("the id of a chain is 16 bytes, got " + std::to_string(given.size()));
    }
    std::memcpy(id.data(), given.data(), id.size());
    return id;
}

py::bytes bytes_of(const JournalId& id) {
    return {reinterpret_cast<const char*>(id.data()), id.size()};
}

class PyJournalChain : public PyChain {
  public:
    explicit PyJournalChain(std::shared_ptr<JournalChain> chain)
        : PyChain(chain, py::none()), chain_(std::move(chain)) {}

    JournalChain& chain() const noexcept { return *chain_; }

  private:
    std::shared_ptr<JournalChain> chain_;
};

class PyJournal {
  public:
    PyJournal(std::optional<std::string> path, std::size_t segment_bytes, const std::string& store,
              double sync_interval)
        : path_(std::move(path)) {
        const Journal::Options options{segment_bytes, tail_store_from("store", store),
                                       sync_interval};
        if (path_) {
            journal_.emplace(*path_, options);
        } else {
            journal_.emplace(options);
        }
    }

    const std::optional<std::string>& path() const noexcept { return path_; }
    Journal& journal() noexcept { return *journal_; }

    std::shared_ptr<PyJournalChain> begin_chain(const py::bytes& id, std::string label,
                                                const RunMetaTuple& meta,
                                                std::uint32_t chain_number, std::uint64_t first_row,
                                                std::uint32_t previous_sum) {
        return std::make_shared<PyJournalChain>(journal_->begin_chain(
            id_from(id), std::move(label), std::make_shared<const RunMeta>(run_meta_from(meta)),
            chain_number, first_row, previous_sum));
    }

  private:
    std::optional<std::string> path_;
    std::optional<Journal> journal_;
};

struct PyKnown {
    std::shared_ptr<const journal::Known> known;
};

std::shared_ptr<PyChain> load(const JournalScan& self, const py::bytes& id,
                              const RunMetaTuple& meta, std::uint32_t chain_number,
                              std::uint64_t start, std::uint64_t stop) {
    const JournalId chain = id_from(id);
    auto run = std::make_shared<const RunMeta>(run_meta_from(meta));
    std::shared_ptr<Chain> loaded;
    {
        const py::gil_scoped_release released;
        loaded = self.load(chain, std::move(run), chain_number, start, stop);
    }
    return std::make_shared<PyChain>(std::move(loaded), py::none());
}

void bind_scan(py::module_& m) {
    py::class_<JournalScan> scan(m, "JournalScan", py::is_final(), plain_metaclass(),
                                 constructed_by_new, R"(
What is in the file of a journal that this process does not write. Nothing is changed.

Parameters
----------
path : str
known : JournalScan.Known, optional
    Rows that an earlier scan found whole are not read again, where they still count.

Raises
------
OSError
    Where the file cannot be read. Damage raises nothing: see `damaged`.

Notes
-----
Another process may write the journal meanwhile. Then this is what it held at one moment.
)");
    using Piece = JournalScan::Piece;
    py::class_<Piece>(scan, "Chain", py::is_final(), plain_metaclass(), never_constructed, R"(
Rows of one chain, without a gap.

Notes
-----
Where a process ended, there is one for each id. There are more after a loss of power, where damage
lies between, and of a journal that is written meanwhile: rows that the store has long since, and
rows behind others that are lost. Only the one that knows the last row of the store goes on there.
)")
        .def_property_readonly("id", [](const Piece& self) { return bytes_of(self.id()); })
        .def_property_readonly("label", &Piece::label, "What the chain is called in messages.")
        .def_property_readonly("first", &Piece::first, "The number of the first row.")
        .def_property_readonly("stop", &Piece::stop, "The number of the row that would follow.")
        .def_property_readonly("previous_sum", &Piece::previous_sum,
                               "The sum of the row before the first.")
        .def("sum_before", &Piece::sum_before, py::arg("row"),
             "Give the sum of the row before this one; None where it is not known.")
        .def_property_readonly("damaged", &Piece::damage,
                               "What is wrong behind the last row; empty where nothing is.");
    py::class_<PyKnown>(scan, "Known", py::is_final(), plain_metaclass(), never_constructed, R"(
What a scan has found, for the next one of the same journal. It does not keep the file open.
)");
    scan.def(py::init([](const std::string& path, const std::optional<PyKnown>& known) {
                 const py::gil_scoped_release released;
                 return JournalScan(path, known ? known->known : nullptr);
             }),
             py::arg("path"), py::arg("known") = py::none())
        .def_property_readonly(
            "id", [](const JournalScan& self) { return bytes_of(self.id()); },
            "The journal's own id; zeros where the file is not a journal, or was only being made.")
        .def_property_readonly("chains", &JournalScan::pieces)
        .def_property_readonly(
            "known", [](const JournalScan& self) { return PyKnown{self.known()}; },
            "What was found, for the next scan of the same journal.")
        .def_property_readonly("damaged", &JournalScan::damage,
                               "What is wrong with the file as a whole; empty where nothing is.")
        .def("load", &load, py::arg("id"), py::arg("meta"), py::arg("chain_number"),
             py::arg("start"), py::arg("stop"), R"(
Read rows of a chain into memory, where they are rows 0, 1, ...

Raises
------
ValueError
    Where the rows are not in the journal, or are not of such a run.
RuntimeError
    Where they were recycled meanwhile.
)");
}

}  // namespace

void bind_journal(py::module_& m) {
    py::class_<PyJournalChain, PyChain, std::shared_ptr<PyJournalChain>>(
        m, "JournalChain", py::is_final(), plain_metaclass(), never_constructed, R"(
A chain whose newest rows are in a journal. Rows are counted as in the store; what is read is a copy.
)")
        .def_property_readonly(
            "released", [](const PyJournalChain& self) { return self.chain().released(); },
            "Rows before this one are gone.")
        .def_property_readonly(
            "synced", [](const PyJournalChain& self) { return self.chain().synced(); },
            "Rows before this one survive a loss of power.")
        .def_property_readonly(
            "waiting_bytes",
            [](const PyJournalChain& self) { return self.chain().waiting_bytes(); },
            "Bytes of the rows that are not released, about.")
        .def_readwrite("notify_at", &PyJournalChain::notify_at,
                       "The number of rows from which on append and extend return True.")
        .def(
            "sum_of",
            [](const PyJournalChain& self, std::uint64_t row) { return self.chain().sum_of(row); },
            py::arg("row"),
            "Give the checksum of a row from `released` on, or of the one before.\n\n"
            "Raises RuntimeError for others.")
        .def(
            "release",
            [](PyJournalChain& self, std::uint64_t row) {
                const py::gil_scoped_release released;
                self.chain().release(row);
            },
            py::arg("row"), "Say that the store holds the rows before ``row`` durably.")
        .def(
            "discard",
            [](PyJournalChain& self) {
                const py::gil_scoped_release released;
                self.chain().discard();
            },
            "Forget all rows, and refuse further ones.")
        .def("__reduce__", [](const PyJournalChain&) -> py::object {
            throw TypeError("a chain of a journal cannot be pickled");
        });

    py::class_<PyJournal>(m, "Journal", py::is_final(), plain_metaclass(), constructed_by_new, R"(
The newest rows of chains, kept until a slower store has them.

Parameters
----------
path : str or None
    A new file. None: memory.
segment_bytes : int, default 0
    The size of the pieces that are used again and again; 0 chooses by the size of the rows.
store : {"auto", "mapped", "written"}
    How rows get into the file.
sync_interval : float, default 1.0
    Seconds after which rows survive a loss of power; 0: only after `sync`.

Raises
------
OSError
    Where the file cannot be made; FileExistsError where there is one.

Notes
-----
Once an append returns, the row survives the death of the process. A forked child may do nothing with
a journal and its chains: RuntimeError.
)")
        .def(py::init<std::optional<std::string>, std::size_t, const std::string&, double>(),
             py::arg("path"), py::kw_only(), py::arg("segment_bytes") = 0,
             py::arg("store") = "auto", py::arg("sync_interval") = 1.0)
        .def_property_readonly("path", &PyJournal::path)
        .def_property_readonly(
            "bytes", [](PyJournal& self) { return self.journal().bytes(); },
            "Of all pieces, used and free.")
        .def_property_readonly(
            "is_mapped", [](PyJournal& self) { return self.journal().is_mapped(); },
            "Whether rows are stored straight into the file's pages.")
        .def("begin_chain", &PyJournal::begin_chain, py::arg("id"), py::arg("label"),
             py::arg("meta"), py::arg("chain_number"), py::arg("first_row"),
             py::arg("previous_sum"), R"(
Begin a chain, or go on with one.

Parameters
----------
id : bytes
    16 of them, by which the chain is known again.
label : str
    What the chain is called in messages.
meta : tuple
    Id of the run, variables, sampler stats, message: what `CoreBackend.init_run` takes.
chain_number : int
first_row : int
    The number of the next row.
previous_sum : int
    The sum of the row before it; anything where there is none.

Raises
------
RuntimeError
    Where rows of a chain of that id wait in the journal.
)")
        .def(
            "sync",
            [](PyJournal& self) {
                const py::gil_scoped_release released;
                self.journal().sync();
            },
            "Make the rows that there are now durable.")
        .def(
            "close", [](PyJournal& self, bool remove) { self.journal().close(remove); },
            py::arg("remove"), "Refuse further rows; with ``remove``, delete the file.");
    bind_scan(m);
}

}  // namespace drawstore::bindings
