"""How a run of emcee is written to an HDF5 file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drawstore.delivery.delivery import BLOCK_BYTES
from drawstore.ensemble import RANDOM_STATE

if TYPE_CHECKING:
    from drawstore.delivery.journals import JournalOptions
    from drawstore.ensemble.blobs import BlobLayout
    from drawstore.hdf5.emcee_layout import Stored

__all__ = ["Options", "rows_at_once"]

_UNTIL_CHECKED = 256  # steps of changing size after which their bytes are counted


@dataclass(frozen=True)
class Options:
    """How a handle wants its run written; the handle that begins the run decides.

    Attributes
    ----------
    flush_interval : float
        Seconds after which a step is in the file at the latest.
    compression, compression_opts
        Of h5py.
    journal : JournalOptions
        Where steps wait.
    """

    flush_interval: float
    compression: Any
    compression_opts: Any
    journal: JournalOptions


def rows_at_once(row_bytes: int, stored: Stored, blobs: BlobLayout | None, max_buffer: int) -> int:
    """Tell how many steps are written at once.

    What belongs to a row of the journal alone does not count where the file is busy.

    Parameters
    ----------
    row_bytes : int
        Of a step in the journal.
    stored : Stored
        The run.
    blobs : BlobLayout or None
    max_buffer : int
        Bytes that may wait.
    """
    in_file = max(1, row_bytes - RANDOM_STATE.itemsize - 8 * stored.nwalkers)  # accepted
    most = min(2 * BLOCK_BYTES, max_buffer // 4)
    rows = max(1, min(BLOCK_BYTES // in_file, most // row_bytes))
    has_texts = blobs is not None and blobs.dtype.hasobject
    return min(rows, _UNTIL_CHECKED) if has_texts else rows
