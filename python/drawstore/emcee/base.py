"""What the backends in memory and on disk share."""

from __future__ import annotations

import operator
from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import Any

import emcee.backends

from .tau import ChainTimes, Positions, autocorr_time

__all__ = ["BaseBackend", "nothing_stored"]


class BaseBackend(emcee.backends.Backend):  # type: ignore[misc]  # emcee has no types
    """A backend of emcee whose autocorrelation times come from the compiled core."""

    def get_autocorr_time(self, discard: int = 0, thin: int = 1, **kwargs: Any) -> Any:
        """Estimate the integrated autocorrelation time of each parameter, in steps.

        Asked again for the same part of a chain that has grown, it takes the new steps only.

        Parameters
        ----------
        discard, thin : int
            Steps left out at the start, and the distance of those that are used.
        **kwargs
            Of `drawstore.autocorr.integrated_time`.

        Returns
        -------
        ndarray, shape (ndim,)

        Raises
        ------
        emcee.autocorr.AutocorrError
            Where the chain is too short, unless ``quiet=True``.
        """
        if _counts(discard, 0) and _counts(thin, 1) and self._reads_as_ours():
            with self._positions() as positions:
                if positions is not None:
                    times: ChainTimes = self.__dict__.setdefault("_times", ChainTimes())
                    return thin * times.of(positions, int(discard), int(thin), **kwargs)
        return thin * autocorr_time(self.get_chain(discard=discard, thin=thin), **kwargs)

    def _repr_html_(self) -> str:
        from drawstore.html.ensembles import ensemble_html

        return ensemble_html(self)

    @abstractmethod
    def _positions(self) -> AbstractContextManager[Positions | None]:
        """Give the positions of the steps, or None where the chain is to be taken as a whole."""

    def _reads_as_ours(self) -> bool:
        """Whether no subclass, and no attribute of the instance, gives another chain than ours."""
        ours = next(cls for cls in type(self).__mro__ if cls.__module__.startswith("drawstore."))
        return not any(
            name in vars(self) or getattr(type(self), name) is not getattr(ours, name)
            for name in ("get_chain", "get_value", "chain", "iteration")
        )

    def _forget_times(self) -> None:
        """Begin anew with the times, because another run begins."""
        self.__dict__.pop("_times", None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_times"}


def _counts(number: Any, least: int) -> bool:
    """Whether it is a whole number, not below the least."""
    try:
        return operator.index(number) >= least
    except TypeError:
        return False


def nothing_stored(why: str = "") -> AttributeError:
    """Make emcee's error for a backend without steps.

    Parameters
    ----------
    why : str
        What there is instead, where that helps.
    """
    return AttributeError(
        "there are no steps yet: run the sampler with 'store=True' before you read the results"
        + (f" ({why})" if why else "")
    )
