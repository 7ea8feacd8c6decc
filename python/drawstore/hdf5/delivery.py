"""What all who deliver rows to an HDF5 file share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drawstore.delivery.delivery import Delivery

if TYPE_CHECKING:
    from drawstore.delivery.journals import JournalOptions

    from .store_file import StoreFile

__all__ = ["FileDelivery"]


class FileDelivery(Delivery):
    """Rows on their way into a file.

    Parameters
    ----------
    file : StoreFile
    options : JournalOptions
        Where the rows wait, and how many may.
    """

    def __init__(self, file: StoreFile, options: JournalOptions) -> None:
        super().__init__(file.path, options)
        self.file = file

    @property
    def is_held(self) -> bool:
        return self.file.waits_for_lock

    def undelivered(self, waiting: int, timeout: float) -> TimeoutError:
        return TimeoutError(
            f"{waiting} {self.noun} are not in {self.place!r} yet, because another program "
            f"holds the file; waited {timeout:.1f} s. They are kept {self._kept}: close the file "
            "there and call close() again"
        )
