"""The storage layer for MCMC draws.

A `Backend` holds runs, a `Run` holds chains, a `Chain` holds draws and sampler stats, wherever they
are kept. `drawstore.emcee` has backends for emcee's samplers. This module imports what it offers
when it is first asked for: none of NumPy, protobuf and h5py is loaded before.
"""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends.clickhouse import ClickHouseBackend as ClickHouseBackend
    from .backends.core import FileBackend as FileBackend
    from .backends.core import MemoryBackend as MemoryBackend
    from .backends.hdf5 import HDF5Backend as HDF5Backend
    from .interface import Backend as Backend
    from .interface import Chain as Chain
    from .interface import Group as Group
    from .interface import Run as Run
    from .interface import RunInfo as RunInfo
    from .meta import ChainMeta as ChainMeta
    from .meta import Coordinate as Coordinate
    from .meta import DataVariable as DataVariable
    from .meta import ExtendedValue as ExtendedValue
    from .meta import RunMeta as RunMeta
    from .meta import Variable as Variable
    from .meta import make_meta as make_meta
    from .monitor import Monitor as Monitor
    from .opening import open as open
    from .summary import Summary as Summary
    from .summary import VariableSummary as VariableSummary

_MODULES = {
    "Backend": ".interface",
    "Chain": ".interface",
    "Group": ".interface",
    "Run": ".interface",
    "RunInfo": ".interface",
    "ChainMeta": ".meta",
    "Coordinate": ".meta",
    "DataVariable": ".meta",
    "ExtendedValue": ".meta",
    "RunMeta": ".meta",
    "Variable": ".meta",
    "make_meta": ".meta",
    "ClickHouseBackend": ".backends.clickhouse",
    "HDF5Backend": ".backends.hdf5",
    "FileBackend": ".backends.core",
    "MemoryBackend": ".backends.core",
    "Monitor": ".monitor",
    "open": ".opening",
    "Summary": ".summary",
    "VariableSummary": ".summary",
}

__all__ = [
    "Backend",
    "Chain",
    "ChainMeta",
    "ClickHouseBackend",
    "Coordinate",
    "DataVariable",
    "ExtendedValue",
    "FileBackend",
    "Group",
    "HDF5Backend",
    "MemoryBackend",
    "Monitor",
    "Run",
    "RunInfo",
    "RunMeta",
    "Summary",
    "Variable",
    "VariableSummary",
    "__version__",
    "make_meta",
    "open",
]

__version__ = _version("drawstore")


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(_MODULES[name], __name__), name)
