"""The steps of an ensemble, in whatever store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import parse_dtype
from .blob_columns import join, layout_in
from .describing import Parameter, is_ensemble, parameters_of
from .random_states import state_at

if TYPE_CHECKING:
    from ..interface import Chain, Run
    from .blobs import BlobLayout

__all__ = ["RunSteps", "Steps", "steps_of"]

_BLOCK_BYTES = 16 * 2**20

Array = NDArray[Any]


class Steps(ABC):
    """The steps of an ensemble: those that there are by now.

    Parameters
    ----------
    label : str
        The id of the run, or what it is called else.
    n_walkers, ndim : int
        The ensemble.
    parameters : sequence of Parameter, optional
        None where nobody named them.
    """

    def __init__(
        self, label: str, n_walkers: int, ndim: int, parameters: Sequence[Parameter] | None = None
    ) -> None:
        self.label = label
        self.n_walkers = n_walkers
        self.ndim = ndim
        self.parameters = parameters

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, name: str, rows: range) -> Array:
        """Read steps.

        Parameters
        ----------
        name : {"chain", "log_prob"}
            Positions or log-probabilities; of a run "blobs" as well, where there are any.
        rows : range
            Which.

        Returns
        -------
        ndarray, shape (len(rows), n_walkers, ndim) or (len(rows), n_walkers)
        """

    @abstractmethod
    def accepted(self, count: int) -> Array:
        """Give the accepted proposals of each walker up to so many steps, shape (n_walkers,).

        Who keeps those of the last step only, as emcee does, gives them.
        """

    def blocks(self, count: int, row_bytes: int) -> Iterator[range]:
        """Cut the first steps into blocks that can be read at once, the last one first."""
        n = max(1, _BLOCK_BYTES // max(1, row_bytes))
        for stop in range(count, 0, -n):
            yield range(max(0, stop - n), stop)


class RunSteps(Steps):
    """The steps of a run."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Of positions and log-probabilities."""

    @abstractmethod
    def blobs(self) -> BlobLayout | None:
        """Say what blobs there are."""

    @abstractmethod
    def random_state(self, count: int) -> Any:
        """Give the state of the random numbers after so many steps, or None.

        Who keeps that of the last step only, as emcee does, gives it.
        """


class _Rows(RunSteps):
    """Those of a run that `ensemble_meta` describes."""

    def __init__(self, run: Run) -> None:
        coords = run.variables["coords"]
        n_walkers, ndim = coords.shape
        super().__init__(run.rid, n_walkers, ndim, parameters_of(run))
        self._run = run
        self._dtype = parse_dtype(coords.dtype)
        self._found: Chain | None = None

    def __len__(self) -> int:
        chain = self._chain()
        return 0 if chain is None else len(chain)

    def read(self, name: str, rows: range) -> Array:
        # From a range that lies within the steps, so its stop is -1 only where it goes down.
        slc = slice(rows.start, None if rows.stop < 0 else rows.stop, rows.step)
        if name == "blobs":
            layout = self.blobs()
            assert layout is not None
            return join(layout, lambda part: self._begun().get_draws(part, slc))
        return self._begun().get_draws("coords" if name == "chain" else name, slc)

    def accepted(self, count: int) -> Array:
        if not count:
            return np.zeros(self.n_walkers)
        accepted = self._begun().get_stats_at(count - 1, ["accepted"])["accepted"]
        return np.asarray(np.ma.filled(accepted, 0))

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    def blobs(self) -> BlobLayout | None:
        return layout_in(self._run.variables, bool(self._run.attributes.get("blobs_are_dicts")))

    def random_state(self, count: int) -> Any:
        return state_at(self._begun(), count - 1) if count else None

    def _chain(self) -> Chain | None:
        if self._found is None:
            self._found = next(iter(self._run.get_chains()), None)
        return self._found

    def _begun(self) -> Chain:
        chain = self._chain()
        assert chain is not None, "only steps that are there are read"
        return chain


def steps_of(run: Run) -> RunSteps | None:
    """Give the steps of a run of an ensemble.

    Parameters
    ----------
    run : Run

    Returns
    -------
    RunSteps or None
        None for runs whose draws are not the steps of an ensemble; also for those whose chains are
        walkers, as what was made of emcee's files elsewhere.
    """
    return _Rows(run) if is_ensemble(run) else run._own_steps()
