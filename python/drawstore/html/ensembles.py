"""What `drawstore.emcee` gives: backends, and how a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .markup import GOOD, WAITING, code, frame, guarded, mark, table, text

if TYPE_CHECKING:
    from ..emcee.base import BaseBackend
    from ..emcee.outcome import Result

__all__ = ["ensemble_html", "result_html"]

_PLACE = {"filename": "file", "name": "group", "store": "store", "rid": "run"}
_ENDS = {
    "complete": ("● complete", GOOD),
    "converged": ("● converged", GOOD),
    "time": ("○ the time is up: start it again", WAITING),
}


def ensemble_html(backend: BaseBackend) -> str:
    """Show an ensemble of walkers, and how far it is."""
    return guarded(backend, lambda: _ensemble(backend))


def result_html(result: Result) -> str:
    """Show how a run ended."""
    return guarded(result, lambda: _result(result))


def _ensemble(backend: BaseBackend) -> str:
    title = text(f"drawstore.emcee.{type(backend).__name__}")
    place = [
        [label, code(vars(backend)[attribute])]
        for attribute, label in _PLACE.items()
        if vars(backend).get(attribute) is not None
    ]
    where = table(["", ""], place, len(place), "")
    if not backend.initialized:
        return frame(title, ["no ensemble yet"], where)
    n_walkers, ndim = backend.shape
    n = int(backend.iteration)
    facts = [
        f"{n:,} steps of {n_walkers:,} walkers",
        f"{ndim:,} parameters",
        text(np.dtype(backend.dtype)),
    ]
    if n:
        facts.append(f"acceptance {float(backend.accepted.mean()) / n:.3f}")
    return frame(title, facts, where)


def _result(result: Result) -> str:
    n_walkers, ndim = result.coords.shape
    facts = [f"{n_walkers:,} walkers", f"{ndim:,} parameters"]
    if result.log_prob is not None:
        facts.append(f"highest log-probability {float(result.log_prob.max()):.6g}")
    if result.status is None:
        return frame(mark(*_ENDS[result.outcome]), facts)
    title = "Result" if result.outcome == "converged" else mark(*_ENDS[result.outcome])
    return frame(title, facts, result.status._repr_html_())
