"""When sampling has to end: after some time, at a time of day, or with its batch job."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

__all__ = ["TimeLimit"]

_MOST_MARGIN = 60.0  # seconds
_MARGIN = 0.01  # of the time that there is
_FADING = 0.99  # of what the longest step counts with each that follows
_LOOK = 0.1  # seconds from one look at what the ending takes to the next
_PATIENCE = 30.0  # seconds that squeue may take


class TimeLimit:
    """Tells a loop when to stop, so that what follows it has time.

    Parameters
    ----------
    max_time : float or timedelta, optional
        Seconds from now.
    deadline : datetime, float or "slurm", optional
        A time, without a time zone in the local one; seconds since 1970; or the end of the job of
        Slurm that this is. A job without a time limit has no deadline.
    margin : float or timedelta, optional
        Seconds to stop before either. By default a hundredth of the time that there is now, one
        minute at most.
    ending : callable, optional
        Gives the seconds that it would take by now to put away what there is, for which there has
        to be time besides.

    Raises
    ------
    TypeError, ValueError
        For what is none of these, and for "slurm" where there is no job.
    """

    def __init__(
        self,
        max_time: float | timedelta | None = None,
        deadline: datetime | float | Literal["slurm"] | None = None,
        margin: float | timedelta | None = None,
        ending: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._clocks: list[tuple[Callable[[], float], float]] = []
        if max_time is not None:
            self._clocks.append((time.monotonic, time.monotonic() + _seconds("max_time", max_time)))
        end = _end_of_job() if deadline == "slurm" else _posix_time(deadline)
        if end is not None:
            self._clocks.append((time.time, end))
        self.margin = min(_MARGIN * max(0.0, self.left()), _MOST_MARGIN)
        if margin is not None:
            self.margin = _seconds("margin", margin)
        self._asked = time.monotonic()
        self._longest = 0.0  # step
        self._ending = ending
        self._looks_at = self._asked  # when `ending` is asked next
        self._to_end = 0.0  # what it said

    def left(self) -> float:
        """Give the seconds that are left, infinite without a limit."""
        return min((end - clock() for clock, end in self._clocks), default=float("inf"))

    def is_over(self) -> bool:
        """Say whether to stop: whether there is no time for the margin, two steps, and the ending.

        To be asked after each step; that is how the time of one is known, of which the longest
        lately counts. Costs about a microsecond; what the ending takes is asked ten times a second.
        """
        now = time.monotonic()
        self._longest = max(now - self._asked, _FADING * self._longest)
        self._asked = now
        if now >= self._looks_at:
            self._to_end, self._looks_at = self._ending(), now + _LOOK
        return self.left() < self.margin + 2 * self._longest + self._to_end


def _seconds(name: str, value: float | timedelta) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} is a number of seconds, or a timedelta; got {value!r}")
    if not value >= 0:
        raise ValueError(f"{name} is a number of seconds, 0 or more; got {value!r}")
    return float(value)


def _posix_time(deadline: datetime | float | str | None) -> float | None:
    if isinstance(deadline, datetime):
        return deadline.timestamp()
    if isinstance(deadline, int | float) and not isinstance(deadline, bool):
        return float(deadline)
    if deadline is not None:
        raise TypeError(f"deadline is a datetime, seconds since 1970, or 'slurm'; got {deadline!r}")
    return None


def _end_of_job() -> float | None:
    """Ask Slurm when this job ends, as a POSIX time; None where it has no time limit."""
    end = os.environ.get("SLURM_JOB_END_TIME", "")
    if end.isdecimal():
        return float(end)
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        raise ValueError(
            "deadline='slurm', but this is no job of Slurm: neither SLURM_JOB_END_TIME nor "
            "SLURM_JOB_ID is set"
        )
    # "%L", the time that is left, says the same in every time zone.
    try:
        answer = subprocess.run(
            ["squeue", "--noheader", "--jobs", job, "--format", "%L"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or "").strip()
        raise ValueError(
            f"deadline='slurm', but squeue does not say when job {job} ends: {said or error}"
        ) from error
    if answer == "UNLIMITED":
        return None
    return time.time() + _time_left(answer, job)


def _time_left(answer: str, job: str) -> float:
    """Read ``[[days-]hours:]minutes:seconds``."""
    found = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)", answer)
    if found is None:
        raise ValueError(
            f"deadline='slurm', but squeue says {answer!r} of the time that job {job} has left"
        )
    days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
