"""The storage layer for MCMC draws.

A `Backend` holds runs, a `Run` holds chains, a `Chain` holds draws and sampler stats, wherever they
are kept. `drawstore.emcee` has backends for emcee's samplers. This module imports what it offers
when it is first asked for: neither NumPy nor h5py is loaded before.
"""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interface import Backend as Backend
    from .interface import Chain as Chain
    from .interface import Group as Group
    from .interface import Run as Run
    from .interface import RunInfo as RunInfo

_MODULES = {
    "Backend": ".interface",
    "Chain": ".interface",
    "Group": ".interface",
    "Run": ".interface",
    "RunInfo": ".interface",
}

__all__ = ["Backend", "Chain", "Group", "Run", "RunInfo", "__version__"]

__version__ = _version("drawstore")


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(_MODULES[name], __name__), name)
