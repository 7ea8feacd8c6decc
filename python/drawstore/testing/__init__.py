"""The contract of `drawstore.Backend` as a test suite, for our backends and for anyone's.

A backend is held to it by a test module with a subclass that says how one is made::

    from drawstore.testing import BackendContract

    class TestMine(BackendContract):
        def make_backend(self, path):
            return MyBackend(path / "store")

        def reopen(self, backend):
            return MyBackend(backend.path)

pytest runs the tests of the class, each with a fresh backend. They need pytest, which only this
package imports.
"""

import pytest

_MODULES = ("base", "errors", "handles", "runs", "slices", "stats", "summaries", "values")
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _MODULES))

from .errors import ErrorsContract  # noqa: E402
from .handles import HandlesContract  # noqa: E402
from .runs import RunsContract  # noqa: E402
from .slices import SlicesContract  # noqa: E402
from .stats import StatsContract  # noqa: E402
from .summaries import SummariesContract  # noqa: E402
from .values import ValuesContract  # noqa: E402

__all__ = ["BackendContract"]


class BackendContract(
    ValuesContract,
    StatsContract,
    SlicesContract,
    ErrorsContract,
    RunsContract,
    HandlesContract,
    SummariesContract,
):
    """What every backend has to do; subclass it in a test module.

    A subclass says how a backend is made (`make_backend`) and, where its runs outlive it, how
    another handle on the same store is made (`reopen`).
    """
