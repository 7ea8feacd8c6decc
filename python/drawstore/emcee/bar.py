"""The bar of progress of `drawstore.emcee.run`."""

from __future__ import annotations

from typing import Any

from drawstore.monitor import Monitor
from drawstore.progress import expect, make_bar

__all__ = ["StepsBar"]


class StepsBar:
    """Shows the proposals that are made of those there are to be, and how far from convergence.

    Where nobody says how many steps there will be, these are as many as the rule wants, by what is
    known so far.

    Parameters
    ----------
    shown : bool or str
        As `emcee.EnsembleSampler.sample` takes it.
    first : int
        Steps there are already.
    n_steps : int or None
        That are to be made, where that is known.
    thin_by : int
        Proposals to a step.
    monitor : Monitor or None
        Which knows whether the run has converged.
    options : dict
        Of tqdm.
    """

    def __init__(
        self,
        shown: bool | str,
        first: int,
        n_steps: int | None,
        thin_by: int,
        monitor: Monitor | None,
        options: dict[str, Any],
    ) -> None:
        total = None if n_steps is None else (first + n_steps) * thin_by
        given = {"total": total, "initial": first * thin_by, **options}
        self._bar = make_bar(shown, **given)
        self._thin_by = thin_by
        self._monitor = monitor if shown else None
        self._is_open_ended = n_steps is None

    def step(self, steps: int) -> None:
        """Say that a step was made, and how many there are by now."""
        self._bar.update(self._thin_by)
        if self._monitor is not None and steps % self._monitor.every == 0:
            self._tell(self._monitor)

    def _tell(self, monitor: Monitor) -> None:
        status = monitor.status
        if status is None:
            return
        if status.converged:
            expect(self._bar, self._bar.n)
        elif self._is_open_ended and status.n_needed is not None:
            expect(self._bar, status.n_needed * self._thin_by)
        tau = status.longest_tau
        said = f"tau={tau:.4g}"
        if status.converged:
            said += ", converged"
        elif status.n_taus is not None and tau > 0:
            said += f", {status.n_steps / tau:.1f} of {status.n_taus:g} tau"
        self._bar.set_postfix_str(said, refresh=status.converged)

    def close(self) -> None:
        """Leave it as it is."""
        self._bar.close()
