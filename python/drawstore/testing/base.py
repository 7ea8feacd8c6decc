"""What a subclass of the contract says, and what its tests share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from drawstore.interface import Backend, Chain
from drawstore.meta import make_meta

__all__ = ["ContractBase", "assert_same", "assert_same_items", "begin", "chain_of"]


class ContractBase:
    """How backends are made for the tests.

    Attributes
    ----------
    is_shared : bool
        Whether another process can read the store meanwhile; otherwise it gets an error.
    """

    is_shared: ClassVar[bool] = True

    def make_backend(self, path: Path) -> Backend:
        """Make a backend without runs.

        Parameters
        ----------
        path : Path
            A directory for this test alone.
        """
        raise NotImplementedError("say how a backend is made")

    def reopen(self, backend: Backend) -> Backend | None:
        """Make another handle on the store of a backend, as a new process would.

        Returns
        -------
        Backend or None
            None, the default, where runs do not outlive the backend.
        """
        return None

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        """A backend without runs."""
        with self.make_backend(tmp_path) as backend:
            yield backend

    def stored(self, backend: Backend, chain: Chain) -> list[Chain]:
        """Give a chain, and what others see of it when it is flushed and when it is closed."""
        chain.flush()
        chains = [chain]
        chain.close()
        if (reopened := self.reopen(backend)) is not None:
            chains.append(chain_of(reopened, chain.rid, chain.chain_number))
        return chains


def begin(backend: Backend, variables: Mapping[str, Any], stats: Mapping[str, Any] = {}) -> Chain:
    """Begin a run with one chain.

    Parameters
    ----------
    backend : Backend
    variables, stats : mapping of str to tuple
        The dtype and the shape of each.
    """
    return backend.init_run(make_meta(variables, stats)).init_chain(0)


def chain_of(backend: Backend, rid: str, number: int) -> Chain:
    """Find a chain of a run."""
    chains = {chain.chain_number: chain for chain in backend.get_run(rid).get_chains()}
    return chains[number]


def assert_same(got: NDArray[Any], expected: NDArray[Any]) -> None:
    """Check that two arrays are alike to the bit."""
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    if got.dtype.names is not None:
        for name in got.dtype.names:  # there may be bytes between them that mean nothing
            assert_same(got[name], expected[name])
    elif got.dtype.kind == "O" or got.dtype.char in "gG":
        np.testing.assert_array_equal(got, expected)
    else:
        assert got.tobytes() == expected.tobytes()


def assert_same_items(got: NDArray[Any], expected: Any) -> None:
    """Check draws whose shape differs: an object array of arrays."""
    assert got.dtype == object
    assert got.shape == (len(expected),)
    for one, other in zip(got, expected, strict=True):
        assert isinstance(one, np.ndarray)
        assert_same(one, np.asarray(other))
