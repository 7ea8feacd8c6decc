"""What appends the steps of a sampler to a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drawstore._core import StepRecorder
from drawstore.ensemble.blob_columns import spread
from drawstore.ensemble.blobs import BlobLayout
from drawstore.ensemble.random_states import encode_state
from drawstore.hdf5.dtypes import as_texts

if TYPE_CHECKING:
    from drawstore._core import JournalChain

__all__ = ["TextRecorder", "recorder_for"]


def recorder_for(
    chain: JournalChain, blobs: BlobLayout | None, accepted: NDArray[np.float64]
) -> StepRecorder | TextRecorder:
    """Make what appends steps with such blobs.

    Parameters
    ----------
    chain : JournalChain
        Whose rows `layout.steps_meta` describes.
    blobs : BlobLayout or None
    accepted : ndarray, shape (nwalkers,)
        Accepted proposals of each walker so far; it goes on counting.
    """
    if blobs is not None and blobs.dtype.hasobject:
        return TextRecorder(chain, blobs, accepted)
    encode = blobs.encode_step if blobs is not None and blobs.dicts else None
    return StepRecorder(chain, accepted, encode)


class TextRecorder:
    """A `StepRecorder` for blobs with text, each part of which is a column of its own.

    Attributes
    ----------
    accepted : ndarray, shape (nwalkers,)
        Accepted proposals of each walker so far.
    random_state : object
        Which the last step brought.
    notify_at : int
        The number of rows from which on `save_step` returns True.
    """

    def __init__(
        self, chain: JournalChain, blobs: BlobLayout, accepted: NDArray[np.float64]
    ) -> None:
        self.accepted = accepted
        self.random_state: Any = None
        self.notify_at = 0
        self._chain = chain
        self._blobs = blobs
        self._other_states: dict[int, Any] = {}

    def save_step(self, state: Any, accepted: NDArray[Any]) -> bool:
        """Append one step."""
        if state.blobs is None:
            raise ValueError("expected blobs, but none were given")
        if np.shape(accepted) != self.accepted.shape:
            raise ValueError(f"invalid acceptance size; expected {len(self.accepted)}")
        rows = np.array(self._blobs.encode(state.blobs), dtype=self._blobs.dtype)
        draw = {
            "chain": state.coords,
            "log_prob": state.log_prob,
            **spread(self._blobs, as_texts(rows)),
        }
        counts = self.accepted + accepted
        stats = {"accepted": counts}
        encoded = encode_state(state.random_state)
        if encoded is None:
            self._other_states[len(self._chain)] = state.random_state
        else:
            stats["random_state"] = encoded
        self._chain.append(draw, stats)
        self.accepted = counts
        self.random_state = state.random_state
        return len(self._chain) >= self.notify_at

    def take_other_states(self) -> dict[int, Any]:
        """Give the random states that rows cannot hold, by row; they are forgotten here."""
        taken, self._other_states = self._other_states, {}
        return taken
