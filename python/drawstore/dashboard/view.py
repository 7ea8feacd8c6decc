"""A run, as its page sees it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..monitor.finding import Found, find

if TYPE_CHECKING:
    from ..interface import Run
    from ..monitor import Status
    from ..monitor.following import Followed

__all__ = ["RunView"]


@dataclass
class RunView:
    """What is known of a run while its page is open.

    Attributes
    ----------
    run : Run
    found : Found
        Its chains, or its ensemble, which give draws that count, without warm-up.
    status : Status or None
        Of its `Monitor`; None until it has read the draws for the first time.
    lock : Lock
        Held by whoever reads the run, or changes what is kept.
    kept : dict
        What figures keep between two answers, each under its name; of a bounded size.
    """

    run: Run
    found: Found
    status: Status | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run) -> RunView:
        """Look at a run.

        Raises
        ------
        ValueError
            Where it has no numeric variable of a fixed shape.
        OSError, RuntimeError
            Where it cannot be read.
        """
        return cls(run, find(run, None, None, 0))

    @property
    def followed(self) -> Sequence[Followed]:
        """Its chains; or its one ensemble."""
        return self.found.followed

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, as a `Monitor` names them."""
        return self.followed[0].names if self.followed else ()
