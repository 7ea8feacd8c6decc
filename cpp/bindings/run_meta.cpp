#include "run_meta.hpp"

#include <map>

#include "column.hpp"
#include "drawstore/error.hpp"
#include "drawstore/value.hpp"

namespace drawstore::bindings {
namespace {

Variable variable_from(const VariableTuple& tuple) {
    const auto& [name, dtype, shape, dims, is_deterministic, undefined_ndim] = tuple;
    Variable variable{name, {}, shape, dims, is_deterministic, undefined_ndim};
    if (dtype == "str") {
        variable.dtype = text_dtype();
        return variable;
    }
    try {
        variable.dtype =
            describe_dtype(py::module_::import("drawstore.dtypes").attr("parse_dtype")(dtype));
    } catch (const TypeError& error) {
        throw TypeError("variable '" + name + "': " + error.what());
    } catch (const py::error_already_set& error) {
        if (!error.matches(PyExc_TypeError) && !error.matches(PyExc_ValueError)) throw;
        const std::string text =
            "variable '" + name + "': " + py::str(error.value()).cast<std::string>();
        if (error.matches(PyExc_TypeError)) throw TypeError(text);
        throw ValueError(text);
    }
    return variable;
}

VariableTuple tuple_of(const Variable& variable) {
    return {variable.name, variable.dtype.descriptor, variable.shape,
            variable.dims, variable.is_deterministic, variable.undefined_ndim};
}

}  // namespace

std::vector<VariableTuple> tuples_of(const std::vector<Variable>& variables) {
    std::vector<VariableTuple> tuples;
    for (const Variable& variable : variables) tuples.push_back(tuple_of(variable));
    return tuples;
}

RunMeta run_meta_from(const RunMetaTuple& tuple) {
    const auto& [rid, variables, sample_stats, message] = tuple;
    RunMeta meta{rid, {}, {}, std::string(message)};
    for (const auto& variable : variables) meta.variables.push_back(variable_from(variable));
    for (const auto& stat : sample_stats) meta.sample_stats.push_back(variable_from(stat));
    return meta;
}

TailStore tail_store_from(const char* option, const std::string& name) {
    static const std::map<std::string, TailStore> stores = {
        {"auto", TailStore::Auto}, {"mapped", TailStore::Mapped}, {"written", TailStore::Written}};
    const auto store = stores.find(name);
    if (store == stores.end()) {
        throw ValueError(std::string(option) + " is 'auto', 'mapped' or 'written', got '" + name +
                         "'");
    }
    return store->second;
}

}  // namespace drawstore::bindings
