"""What the backends in memory and on disk share."""

from __future__ import annotations

from typing import Any

import emcee.backends

from .tau import autocorr_time

__all__ = ["BaseBackend", "inconsistent_blobs", "nothing_stored"]


class BaseBackend(emcee.backends.Backend):  # type: ignore[misc]  # emcee has no types
    """A backend of emcee whose autocorrelation times come from the compiled core."""

    def get_autocorr_time(self, discard: int = 0, thin: int = 1, **kwargs: Any) -> Any:
        """Estimate the integrated autocorrelation time of each parameter, in steps.

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
        return thin * autocorr_time(self.get_chain(discard=discard, thin=thin), **kwargs)


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


def inconsistent_blobs() -> ValueError:
    """Make emcee's error for steps of a run of which some have blobs and some not."""
    return ValueError("inconsistent use of blobs: all steps of a run have them, or none")
