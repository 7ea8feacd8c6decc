"""Files of other programs that hold one run, to be read."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from drawstore.interface import Backend, Run, RunInfo
from drawstore.meta import RunMeta

__all__ = ["FileOfOneRun"]

R = TypeVar("R", bound=Run)


class FileOfOneRun(Backend, Generic[R]):
    """The run in a file, which is opened when it is first asked for.

    Parameters
    ----------
    path : path-like
        Of the file, or the directory.

    Attributes
    ----------
    contents : str
        What such files are, in errors.
    """

    contents: ClassVar[str]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self._run: R | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    @abstractmethod
    def _open(self) -> R:
        """Open the file."""

    @abstractmethod
    def _close(self, run: R) -> None:
        """Close what `_open` opened."""

    def init_run(self, meta: RunMeta) -> Run:
        """Refuse: `drawstore.convert` writes such files."""
        raise self._reads_only()

    def get_runs(self) -> list[RunInfo]:
        """Give the one run."""
        run = self._only()
        chains = {chain.chain_number: len(chain) for chain in run.get_chains()}
        return [RunInfo(run.rid, run.created_at, chains, run.size)]

    def get_run(self, rid: str) -> Run:
        """Give a handle on the run: see `drawstore.Backend.get_run`."""
        run = self._only()
        if rid != run.rid:
            raise KeyError(f"there is no run {rid!r} in {self.path!r}; there is {run.rid!r}")
        return run

    def delete_run(self, rid: str) -> None:
        """Refuse."""
        self.get_run(rid)
        raise self._reads_only()

    def close(self) -> None:
        """Close the file; handles on the run cannot be read any more."""
        if self._run is not None:
            self._close(self._run)
            self._run = None

    def _only(self) -> R:
        if self._run is None:
            self._run = self._open()
        return self._run

    def _reads_only(self) -> RuntimeError:
        return RuntimeError(
            f"the run in {self.path!r} can only be read; drawstore.convert writes {self.contents}, "
            "and copies runs from them into a store"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,)
