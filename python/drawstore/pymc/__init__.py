"""A place for PyMC's draws: any backend, instead of PyMC's own arrays.

Inside a model::

    import drawstore
    from drawstore.pymc import TraceBackend

    with model:
        trace = TraceBackend(drawstore.FileBackend("runs"))
        idata = pm.sample(trace=trace)
    run = trace.run
"""

try:
    import pymc as _pymc  # noqa: F401
except ImportError as error:
    raise ImportError(
        "drawstore.pymc needs PyMC: pip install 'drawstore[pymc]'", name="pymc"
    ) from error

from .stopping import StopWhen
from .trace import TraceBackend

__all__ = ["StopWhen", "TraceBackend"]
