"""Drop-in backends for emcee.

Swap one line and leave the rest of the script as it is::

    import drawstore.emcee

    backend = drawstore.emcee.HDFBackend("chain.h5")  # was: emcee.backends.HDFBackend
    sampler = emcee.EnsembleSampler(32, 5, log_prob, backend=backend)
"""

try:
    import emcee as _emcee  # noqa: F401
except ImportError as error:
    raise ImportError(
        "drawstore.emcee needs emcee: pip install 'drawstore[emcee]'", name="emcee"
    ) from error

from .hdf import HDFBackend
from .memory import Backend
from .outcome import Result
from .resume import run
from .store import StoreBackend
from .temporary import TempHDFBackend

__all__ = [
    "Backend",
    "HDFBackend",
    "Result",
    "StoreBackend",
    "TempHDFBackend",
    "get_test_backends",
    "run",
]


def get_test_backends() -> list[type]:
    """List the backends that emcee's own tests are to run with.

    Returns
    -------
    list of type
        Each is a context manager that gives a fresh backend.
    """
    return [Backend, TempHDFBackend]
