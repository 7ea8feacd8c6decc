"""What every store offers: a backend holds runs, a run holds chains, a chain holds draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .closing import Closing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from xarray import DataTree

    from .ensemble import RunSteps
    from .meta import DataVariable, RunMeta, Variable
    from .summary import Summary

__all__ = ["Backend", "Chain", "Group", "Run", "RunInfo"]


@dataclass(frozen=True)
class RunInfo:
    """A run as a backend lists it, without reading draws.

    Attributes
    ----------
    rid : str
        The run's id.
    created_at : datetime
        When `Backend.init_run` made it, in UTC.
    chains : dict of int to int
        Number of each chain, and its draws.
    size : int
        Bytes on disk, or in memory.
    """

    rid: str
    created_at: datetime
    chains: dict[int, int]
    size: int

    def _repr_html_(self) -> str:
        from .html.stores import info_html

        return info_html(self)


@dataclass
class Group:
    """Arrays that came after sampling: a log-likelihood, predictions.

    Attributes
    ----------
    values : dict of str to ndarray
        By name.
    dims : dict of str to tuple of str
        The dimensions of each, "chain" and "draw" included.
    coords : dict of str to ndarray
        Of the dimensions.
    attrs : dict of str to object
        Of the group.
    """

    values: dict[str, NDArray[Any]]
    dims: dict[str, tuple[str, ...]]
    coords: dict[str, NDArray[Any]] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)


class Chain(Closing, ABC):
    """A handle on one chain of a run.

    One thread appends at a time; any thread may read, at any time. Every error leaves the chain as
    it was.

    Examples
    --------
    >>> import drawstore
    >>> meta = drawstore.make_meta({"x": ("float32", (2,))}, {"accepted": ("bool", ())})
    >>> with drawstore.MemoryBackend().init_run(meta).init_chain(0) as chain:
    ...     chain.append({"x": [1, 2]}, {"accepted": True})
    ...     chain.extend({"x": [[3, 4], [5, 6]]})
    >>> chain.get_draws("x", slice(None, None, -1))
    array([[5., 6.],
           [3., 4.],
           [1., 2.]], dtype=float32)
    >>> chain.get_stats("accepted").mask
    array([False,  True,  True])
    """

    @property
    @abstractmethod
    def rid(self) -> str:
        """The id of the run."""

    @property
    @abstractmethod
    def chain_number(self) -> int:
        """The number of the chain in its run."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of draws; of a chain that another process writes, as of now."""

    @abstractmethod
    def append(
        self, draw: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> None:
        """Append one draw.

        Parameters
        ----------
        draw : mapping of str to array_like
            A value for each variable of the run, of its shape. Values of another dtype are
            converted where NumPy's "same_kind" rule allows it.
        stats : mapping of str to array_like, optional
            Sampler stats. One that is left out is missing in this row (see `get_stats`).

        Raises
        ------
        KeyError
            For a name that the run does not declare; the message lists those it does.
        ValueError
            For a variable without a value, or a value of another shape.
        TypeError
            For a value that cannot be stored without loss.
        RuntimeError
            After `close`, in a forked child, and where another thread is appending.
        OSError
            Where there is no room; earlier draws are kept, and appending may go on when there is.
        """

    @abstractmethod
    def extend(
        self, draws: Mapping[str, ArrayLike], stats: Mapping[str, ArrayLike] | None = None
    ) -> None:
        """Append a block of draws: all, or none.

        Parameters
        ----------
        draws, stats : mapping of str to array_like, shape (n, *shape)
            As for `append`, with a leading axis of draws. Ragged variables take a sequence of n
            values. Stats may be masked arrays: rows that are masked miss the stat.

        Raises
        ------
        KeyError, ValueError, TypeError, RuntimeError, OSError
            As `append` does.
        """

    @abstractmethod
    def announce(self, n_draws: int) -> None:
        """Say how many draws there will be in all. Only guides allocation.

        Parameters
        ----------
        n_draws : int
            Those that are there already among them.
        """

    @abstractmethod
    def get_draws(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        """Give draws of one variable.

        Parameters
        ----------
        name : str
            The variable.
        slc : slice
            Which draws, with any step.

        Returns
        -------
        ndarray, shape (n, *shape)
            Read-only, of the variable's dtype; a view where draws lie in memory. For text an
            object array of str. For a variable whose shape differs between draws an object array
            of ndarrays, shape (n,).

        Raises
        ------
        KeyError
            For a name that is not declared.
        """

    @abstractmethod
    def get_stats(self, name: str, slc: slice = slice(None)) -> NDArray[Any]:
        """Give values of one sampler stat, as `get_draws` does.

        Parameters
        ----------
        name : str
            The stat.
        slc : slice
            Which draws, with any step.

        Returns
        -------
        ndarray or numpy.ma.MaskedArray, shape (n, *shape)
            Always of the declared dtype. Masked, and only then, where rows of the slice miss the
            stat; under the mask is NaN, or zero, or "".

        Raises
        ------
        KeyError
            For a name that is not declared.
        """

    @abstractmethod
    def get_draws_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Give one draw of some variables, all by default.

        Parameters
        ----------
        i : int
            Its number; negative ones count from the end.
        names : sequence of str, optional
            The variables.

        Returns
        -------
        dict of str to ndarray
            Each of the shape and dtype of its variable.

        Raises
        ------
        IndexError
            Where there is no such draw.
        KeyError
            For a name that is not declared.
        """

    @abstractmethod
    def get_stats_at(self, i: int, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Give the sampler stats of one draw, as `get_draws_at` does.

        Parameters
        ----------
        i : int
            Its number; negative ones count from the end.
        names : sequence of str, optional
            The stats; all by default.

        Returns
        -------
        dict of str to ndarray or numpy.ma.MaskedArray
            One that the draw misses is fully masked.

        Raises
        ------
        IndexError
            Where there is no such draw.
        KeyError
            For a name that is not declared.
        """

    @abstractmethod
    def flush(self, sync: bool = False) -> None:
        """Return when all draws are where they are kept.

        Parameters
        ----------
        sync : bool
            Return when they survive a loss of power, too.

        Raises
        ------
        OSError
            Where the place refuses them; they stay where they wait.
        """

    @abstractmethod
    def close(self) -> None:
        """Flush, and refuse further draws; reading goes on. Closing twice is fine."""

    def _repr_html_(self) -> str:
        from .html.stores import chain_html

        return chain_html(self)


class Run(Closing, ABC):
    """A handle on one run."""

    @property
    @abstractmethod
    def meta(self) -> RunMeta:
        """What the run is made of: a copy of the message."""

    @property
    @abstractmethod
    def rid(self) -> str:
        """The run's id."""

    @property
    @abstractmethod
    def created_at(self) -> datetime:
        """When the run was made, in UTC."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes on disk, or in memory."""

    @property
    def in_memory(self) -> bool:
        """Whether draws lie in this process's memory, where reading them costs nothing."""
        return False

    @abstractmethod
    def init_chain(self, chain_number: int, *, resume: bool = False) -> Chain:
        """Begin a chain.

        Parameters
        ----------
        chain_number : int
            Not negative; each chain of a run has its own.
        resume : bool
            Go on at the end of the chain where it exists.

        Returns
        -------
        Chain
            To append to; close it, or use it in a ``with`` block.

        Raises
        ------
        ValueError
            Where the chain exists and ``resume`` is not said.
        RuntimeError
            Where another process or handle is writing it; the message names it.
        """

    @abstractmethod
    def get_chains(self) -> list[Chain]:
        """Give handles on all chains.

        Returns
        -------
        list of Chain
            By number: those that live in this process, and readers.
        """

    @abstractmethod
    def _save_group(self, name: str, group: Group) -> None:
        """Keep a group, whole or not at all, in place of one of that name."""

    @abstractmethod
    def _load_groups(self) -> dict[str, Group]:
        """Give the groups that were kept."""

    def _own_steps(self) -> RunSteps | None:
        """Give the steps of an ensemble, where the store has a layout of its own for them."""
        return None

    def refresh(self) -> None:
        """Look again at a run that another process writes.

        `Chain.__len__` and what is read are always as of now; only what is kept from earlier reads
        is forgotten here.
        """

    @contextmanager
    def held_open(self) -> Iterator[None]:
        """Keep open what reading takes, for many small reads; they show the run as of now.

        Yields
        ------
        None
            For a ``with`` block around the reads.
        """
        yield

    def flush(self, sync: bool = False) -> None:
        """Flush the chains that this process writes.

        Parameters
        ----------
        sync : bool
            As for `Chain.flush`.
        """
        for chain in self.get_chains():
            chain.flush(sync)

    def close(self) -> None:
        """Close the chains that this process writes."""
        for chain in self.get_chains():
            chain.close()

    @property
    def variables(self) -> dict[str, Variable]:
        """The variables, by name."""
        return {variable.name: variable for variable in self.meta.variables}

    @property
    def sample_stats(self) -> dict[str, Variable]:
        """The sampler stats, by name."""
        return {variable.name: variable for variable in self.meta.sample_stats}

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """The coordinates of the dimensions, by name."""
        from .meta import unpack_array

        return {coord.name: unpack_array(coord.values) for coord in self.meta.coordinates}

    @property
    def dims(self) -> dict[str, list[str]]:
        """The dimensions of the variables and data that have names for them."""
        meta = self.meta
        items: list[Variable | DataVariable] = [*meta.variables, *meta.data]
        return {item.name: list(item.dims) for item in items if item.dims}

    @property
    def attributes(self) -> dict[str, Any]:
        """What else is known of the run, by name."""
        from .meta import unpack_value

        return {name: unpack_value(value) for name, value in self.meta.attributes.items()}

    @property
    def constant_data(self) -> dict[str, NDArray[Any]]:
        """The data of the model that were not observed, by name."""
        return self._data(is_observed=False)

    @property
    def observed_data(self) -> dict[str, NDArray[Any]]:
        """The data that were observed, by name."""
        return self._data(is_observed=True)

    def _data(self, is_observed: bool) -> dict[str, NDArray[np.generic]]:
        from .meta import unpack_array

        return {
            item.name: unpack_array(item.value)
            for item in self.meta.data
            if item.is_observed == is_observed
        }

    def summary(self, quantiles: Sequence[float] = (0.05, 0.5, 0.95)) -> Summary:
        """Give exact means, standard deviations and quantiles, over all chains together.

        Draws are read in blocks; those of one variable are in memory at a time. Warm-up is left
        out, and an ensemble's walkers are its chains, as in `to_datatree`.

        Parameters
        ----------
        quantiles : sequence of float
            Their levels, from 0 to 1.

        Returns
        -------
        Summary
            Of variables of a fixed shape that are booleans, integers or floats of up to 64 bits;
            others are left out.

        Raises
        ------
        ValueError
            For other levels.

        Examples
        --------
        >>> import drawstore
        >>> meta = drawstore.make_meta({"x": ("float64", ())}, {"tune": ("bool", ())})
        >>> run = drawstore.MemoryBackend().init_run(meta)
        >>> run.init_chain(0).extend({"x": [9, 1, 2, 3]}, {"tune": [True, False, False, False]})
        >>> run.summary(quantiles=[0.5])
        3 draws in 1 chains
           mean  sd  50%
        x     2   1    2
        """
        from .summary import summarize

        return summarize(self, quantiles)

    def to_datatree(
        self,
        *,
        equalize: bool = True,
        lazy: bool | None = None,
        include_transformed: bool = False,
    ) -> DataTree:
        """Give the run as ArviZ 1 shows runs; needs xarray, and not ArviZ.

        The groups are posterior and sample_stats, these of the warm-up under "warmup_" where the
        sampler has marked it (by a stat "tune", "in_warmup", or "…__tune"), observed_data,
        constant_data, and those of `add_groups`. Chains that grow meanwhile are shown as they are
        now.

        Parameters
        ----------
        equalize : bool
            Chains that differ in length are cut to the shortest, with a warning. If False, they
            are filled up with missing values.
        lazy : bool, optional
            Read draws when they are asked for, and each time they are; only those that are. By
            default where they do not lie in memory.
        include_transformed : bool
            Also show those variables of a PyMC run that live in the space in which it samples.

        Returns
        -------
        xarray.DataTree
            In memory one chain is shown without a copy.

        Warns
        -----
        UserWarning
            Where something is left out: draws of longer chains, and variables whose shape differs
            from draw to draw or whose name xarray cannot take.

        Raises
        ------
        ImportError
            Where there is no xarray.

        Notes
        -----
        Missing values are NaN or NaT; integers and booleans become float64 where any is missing,
        and only there; of text they are None, and zeros of other dtypes. Stats that PyMC's samplers
        leave out are zeros, as in PyMC's own results.

        Examples
        --------
        >>> import drawstore
        >>> meta = drawstore.make_meta({"x": ("float64", ())}, {"tune": ("bool", ())})
        >>> run = drawstore.MemoryBackend().init_run(meta)
        >>> run.init_chain(0).extend({"x": [9, 1, 2, 3]}, {"tune": [True, False, False, False]})
        >>> tree = run.to_datatree()
        >>> tree["posterior"]["x"].values
        array([[1., 2., 3.]])
        >>> tree["warmup_posterior"]["x"].values
        array([[9.]])
        """
        from .arviz import to_datatree

        return to_datatree(
            self, equalize=equalize, lazy=lazy, include_transformed=include_transformed
        )

    def to_inferencedata(
        self,
        *,
        equalize: bool = True,
        lazy: bool | None = None,
        include_transformed: bool = False,
    ) -> Any:
        """Give the run as ``arviz.InferenceData``, as ArviZ before 1 shows runs.

        Parameters
        ----------
        equalize, lazy, include_transformed
            As for `to_datatree`.

        Returns
        -------
        arviz.InferenceData

        Raises
        ------
        ImportError
            Where there is no ArviZ, or one of version 1 or later.
        """
        from .arviz import to_inferencedata

        return to_inferencedata(
            self, equalize=equalize, lazy=lazy, include_transformed=include_transformed
        )

    def add_groups(
        self,
        *,
        dims: Mapping[str, Sequence[str]] | None = None,
        coords: Mapping[str, ArrayLike] | None = None,
        **groups: Any,
    ) -> None:
        """Keep what comes after sampling with the run, in place of groups of the same name.

        Parameters
        ----------
        dims : mapping of str to sequence of str, optional
            Names of the dimensions of arrays that are given in dicts, behind chain and draw. By
            default those of the run's variables and data.
        coords : mapping of str to array_like, optional
            Values along the dimensions of such arrays, beside those of the run.
        **groups
            By name, as ``log_likelihood`` or ``posterior_predictive``: a dict of arrays of shape
            (chains, draws, *shape), an ``xarray.Dataset``, or a DataTree or InferenceData, of
            which the group of that name is taken.

        Raises
        ------
        ValueError
            For the name of a group that the run makes itself.
        TypeError
            For values that are Python objects other than text.
        """
        from .arviz import add_groups

        add_groups(self, groups, dims or {}, coords or {})

    def _measure_first(self, most: int) -> tuple[dict[int, int], int]:
        """Give the draws of so many chains, by number, and how many chains there are."""
        with self.held_open():
            chains = self.get_chains()
            return {chain.chain_number: len(chain) for chain in chains[:most]}, len(chains)

    def _repr_html_(self) -> str:
        from .html.stores import run_html

        return run_html(self)


class Backend(Closing, ABC):
    """A place where runs are kept."""

    @abstractmethod
    def init_run(self, meta: RunMeta) -> Run:
        """Begin a run.

        Parameters
        ----------
        meta : RunMeta
            Its variables, sampler stats, coordinates, data and attributes. Where its ``rid`` is
            empty the run gets a fresh one.

        Returns
        -------
        Run
            Without chains: see `Run.init_chain`.

        Raises
        ------
        ValueError
            Where a run of that id exists, or two variables have one name.
        """

    @abstractmethod
    def get_runs(self) -> list[RunInfo]:
        """List the runs, without reading draws.

        Returns
        -------
        list of RunInfo
            In the order in which they were made.
        """

    @abstractmethod
    def get_run(self, rid: str) -> Run:
        """Give a handle on a run.

        Parameters
        ----------
        rid : str
            Its id.

        Returns
        -------
        Run

        Raises
        ------
        KeyError
            Where there is none of that id; the message lists those there are.
        """

    @abstractmethod
    def delete_run(self, rid: str) -> None:
        """Delete a run.

        Parameters
        ----------
        rid : str
            Its id.

        Raises
        ------
        KeyError
            Where there is none of that id.
        RuntimeError
            Where a process is writing it.
        """

    def _list_first(self, most: int) -> tuple[list[RunInfo], int]:
        """List so many runs, and say how many there are."""
        infos = self.get_runs()
        return infos[:most], len(infos)

    def _repr_html_(self) -> str:
        from .html.stores import backend_html

        return backend_html(self)

    def _seconds_to_deliver(self) -> float:
        """Say how long `close` is going to take, as far as that is known."""
        return 0.0
