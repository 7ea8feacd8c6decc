// Blocks for ClickHouse, and what comes back from there.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "drawstore/clickhouse.hpp"
#include "field.hpp"
#include "py_chain.hpp"
#include "run_meta.hpp"

namespace drawstore::bindings {
namespace {

using Names = std::vector<std::string>;
using ColumnTuple = std::pair<std::string, std::string>;

std::vector<ColumnTuple> tuples_of(const std::vector<ClickHouseTable::Column>& columns) {
    std::vector<ColumnTuple> tuples;
    for (const auto& column : columns) tuples.emplace_back(column.name, column.type);
    return tuples;
}

// The bytes of a block, which is kept as long as somebody looks at them.
py::memoryview view_of(std::unique_ptr<ClickHouseTable::Block> block) {
    const std::span<const std::byte> bytes = block->bytes();
    const py::capsule owner(block.release(),
                            [](void* kept) { delete static_cast<ClickHouseTable::Block*>(kept); });
    const py::array_t<std::uint8_t> array(
        bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()), owner);
    PyArray_CLEARFLAGS(reinterpret_cast<PyArrayObject*>(array.ptr()), NPY_ARRAY_WRITEABLE);
    return py::memoryview(array);
}

class PyClickHouseTable {
  public:
    explicit PyClickHouseTable(const RunMetaTuple& meta) : table_(run_meta_from(meta)) {
        for (const Variable& variable : table_.layout().fields()) fields_.emplace_back(variable);
    }

    std::vector<ColumnTuple> columns() const { return tuples_of(table_.columns()); }

    std::vector<ColumnTuple> columns_of(const Names& variables, const Names& stats) const {
        return tuples_of(table_.columns_of(find(variables, stats)));
    }

    std::uint64_t rows_fitting(const PyChain& chain, std::uint64_t first, std::uint64_t stop,
                               std::size_t max_bytes) const {
        const py::gil_scoped_release released;
        return table_.rows_fitting(chain.chain(), first, stop, max_bytes);
    }

    py::memoryview encode(const PyChain& chain, std::uint64_t first, std::uint64_t stop) const {
        auto block = std::make_unique<ClickHouseTable::Block>();
        {
            const py::gil_scoped_release released;
            *block = table_.encode(chain.chain(), first, stop);
        }
        return view_of(std::move(block));
    }

    py::tuple decode(const py::buffer& answer, const Names& variables, const Names& stats) const {
        const py::buffer_info info = answer.request();
        const std::span<const std::byte> bytes = bytes_of(info);
        const std::vector<std::size_t> fields = find(variables, stats);
        std::vector<Draws> all;
        {
            const py::gil_scoped_release released;
            all = table_.decode(bytes, fields);
        }
        py::dict draws;
        py::dict values;
        for (std::size_t i = 0; i < fields.size(); ++i) {
            const bool is_stat = i >= variables.size();
            const std::string& name = is_stat ? stats[i - variables.size()] : variables[i];
            (is_stat ? values : draws)[py::str(name)] = array_of(fields_[fields[i]], all[i + 1]);
        }
        return py::make_tuple(array_of(Field(all[0].variable()), all[0]), draws, values);
    }

  private:
    static py::object array_of(const Field& field, const Draws& draws) {
        return field.give(draws.span(), draws.items(), draws.missing());
    }

    std::vector<std::size_t> find(const Names& variables, const Names& stats) const {
        std::vector<std::size_t> fields;
        for (const auto& name : variables) fields.push_back(table_.layout().find_variable(name));
        for (const auto& name : stats) fields.push_back(table_.layout().find_stat(name));
        return fields;
    }

    const ClickHouseTable table_;
    std::vector<Field> fields_;
};

}  // namespace

void bind_clickhouse(py::module_& m) {
    py::class_<PyClickHouseTable>(m, "ClickHouseTable", py::is_final(), plain_metaclass(),
                                  constructed_by_new, R"(
The table of a run in ClickHouse, and its rows as blocks of the Native format.

Parameters
----------
meta : tuple
    Id of the run, variables, sampler stats, message: what `CoreBackend.init_run` takes.

Notes
-----
Nothing here talks to a server. Any thread may call any method. The file cpp/CLICKHOUSE.md says what
the columns are.
)")
        .def(py::init<const RunMetaTuple&>(), py::arg("meta"))
        .def_property_readonly("columns", &PyClickHouseTable::columns,
                               "Name and type of each column, for CREATE TABLE.")
        .def("columns_of", &PyClickHouseTable::columns_of, py::arg("variables"),
             py::arg("stats") = Names(),
             "Give name and type of the columns to SELECT for these variables and stats, in order.")
        .def("rows_fitting", &PyClickHouseTable::rows_fitting, py::arg("chain"), py::arg("first"),
             py::arg("stop"), py::arg("max_bytes") = ClickHouseTable::most_bytes, R"(
Say how many of the rows make a block that a server takes as one piece.

Parameters
----------
chain : Chain
first, stop : int
    The rows there are.
max_bytes : int, default 16,000,000
    Of the block.

Returns
-------
int
    At least 1, where there is a row.
)")
        .def("encode", &PyClickHouseTable::encode, py::arg("chain"), py::arg("first"),
             py::arg("stop"), R"(
Make a block of committed rows.

Parameters
----------
chain : Chain
first, stop : int
    The rows, as the chain counts them.

Returns
-------
memoryview
    Of bytes, read-only. The column "missing" is left out where nothing is missing. Let go of it when
    it has been sent: its memory serves for the next block.

Raises
------
ValueError
    Where the chain is of another run, or has fewer rows.
)")
        .def("decode", &PyClickHouseTable::decode, py::arg("answer"), py::arg("variables"),
             py::arg("stats") = Names(), R"(
Read an answer of ClickHouse to a SELECT of `columns_of` in FORMAT Native.

Parameters
----------
answer : bytes-like
    Any number of blocks.
variables, stats : sequence of str
    As they were given to `columns_of`.

Returns
-------
draw : ndarray of uint64
    The numbers of the rows, as the server ordered them.
draws, stats : dict of str to ndarray
    What `Chain.get_draws` and `Chain.get_stats` give.

Raises
------
ValueError
    Where the answer is not whole, or not of this table; with column and row.
)");
}

}  // namespace drawstore::bindings
