"""How far sampling has come, and what came out of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .markup import BAD, GOOD, MOST, WAITING, code, columns, frame, guarded, mark, table
from .sparkline import tau_curve

if TYPE_CHECKING:
    from ..monitor import Diagnostics, Monitor, Status
    from ..monitor.status import Progress
    from ..summary import Summary

__all__ = ["diagnostics_html", "monitor_html", "status_html", "summary_html"]

_SHOWN_CHAINS = 8


def status_html(status: Status, note: str = "") -> str:
    """Show a status; and what else is to be said, if anything."""
    return guarded(status, lambda: _status(status, note))


def monitor_html(monitor: Monitor) -> str:
    """Show what a monitor has said last; it does not look again."""

    def show() -> str:
        status = monitor.status
        return (
            frame("Monitor", ["nothing looked at yet"]) if status is None else status_html(status)
        )

    return guarded(monitor, show)


def summary_html(summary: Summary) -> str:
    """Show a summary."""
    return guarded(summary, lambda: _summary(summary))


def diagnostics_html(diagnostics: Diagnostics) -> str:
    """Show diagnostics."""
    return guarded(diagnostics, lambda: _diagnostics(diagnostics))


def _status(status: Status, note: str) -> str:
    return frame(
        _verdict(status),
        _facts(status),
        f"<div>{mark(note, BAD)}</div>" if note else "",
        columns(_progress(status) + _chains(status), _curve(status)),
        _parameters(status),
    )


def _verdict(status: Status) -> str:
    if not any(chain.n_steps for chain in status.chains):
        warms_up = any(chain.n_left_out for chain in status.chains)
        return mark("○ warming up" if warms_up else "○ no draws yet", WAITING)
    if status.converged:
        return mark("● converged", GOOD)
    return mark("○ not converged yet", WAITING)


def _facts(status: Status) -> Iterator[str]:
    if status.expected is not None and not status.converged:
        yield f"expected {status.expected.astimezone():%Y-%m-%d %H:%M:%S}"
    if status.rate is not None:
        yield f"{status.rate:,.4g} steps/s"
    if status.acceptance is not None:
        yield f"acceptance {status.acceptance:.3f}"
    yield f"as of {status.time.astimezone():%H:%M:%S}"


def _progress(status: Status) -> str:
    """Show how much of the length there is that the rule wants."""
    needed = status.n_needed
    if status.converged or not needed or not status.n_steps:
        return ""
    done = min(1.0, status.n_steps / needed)
    tau = status.longest_tau
    said = f"{status.n_steps:,} of about {needed:,} steps"
    if status.n_taus is not None and tau > 0:
        said += f": {status.n_steps / tau:.1f} of {status.n_taus:g} autocorrelation times"
    if done == 1.0:
        said += "; long enough, τ or R̂ has to settle"
    return (
        '<div style="height:8px;width:240px;max-width:100%;border-radius:4px;overflow:hidden;'
        'background:rgba(128,128,128,.3);margin:5px 0 2px">'
        f'<div style="height:100%;width:{100 * done:.1f}%;background:{WAITING}"></div></div>'
        f"<div>{said}</div>"
    )


def _chains(status: Status) -> str:
    said = "".join(f"<div>{_chain(chain)}</div>" for chain in status.chains[:_SHOWN_CHAINS])
    more = len(status.chains) - _SHOWN_CHAINS
    return said + (f'<div style="opacity:.65">and {more:,} more</div>' if more > 0 else "")


def _chain(chain: Progress) -> str:
    of = f" of {chain.n_walkers:,} walkers" if chain.is_ensemble else ""
    warmup = f", {chain.n_left_out:,} left out" if chain.n_left_out else ""
    label = code(chain.label) if chain.is_ensemble else f"chain {code(chain.label)}"
    return f"{label}: {chain.n_steps:,} steps{of}{warmup}"


def _curve(status: Status) -> str:
    curve = tau_curve(status.history, status.n_taus)
    if not curve:
        return ""
    against = f" and N/{status.n_taus:g} (dashed)" if status.n_taus else ""
    return f'{curve}<div style="opacity:.65;font-size:90%">longest τ{against}, by steps N</div>'


def _parameters(status: Status) -> str:
    head = ["", ">τ", ">N/τ", ">ESS"] + ([">R̂"] if status.rhat is not None else [])
    rows = []
    for i, name in enumerate(status.names[:MOST]):
        tau = float(status.tau[i])
        row = [code(name), _number(tau), _number(status.n_steps / tau if tau else math.nan, ".1f")]
        row.append(_number(float(status.ess[i]), ",.0f"))
        if status.rhat is not None:
            row.append(_number(float(status.rhat[i]), ".4f"))
        rows.append(row)
    return table(head, rows, len(status.names), "parameters")


def _summary(summary: Summary) -> str:
    head = ["", ">mean", ">sd", *(f">{100 * level:g}%" for level in summary.levels)]
    rows = [
        [code(name), *(_number(float(value), ".6g") for value in values)]
        for name, values in summary.first_rows(MOST)
    ]
    n_draws, n_chains = sum(summary.chains.values()), len(summary.chains)
    facts = [f"{n_draws:,} draws in {n_chains:,} chains"]
    return frame("Summary", facts, table(head, rows, summary.n_rows, "rows"))


def _diagnostics(diagnostics: Diagnostics) -> str:
    shown = {
        ">R̂": (diagnostics.rhat, ".4f"),
        ">ESS bulk": (diagnostics.ess_bulk, ",.0f"),
        ">ESS tail": (diagnostics.ess_tail, ",.0f"),
    }
    there = {head: pair for head, pair in shown.items() if pair[0] is not None}
    rows = [
        [code(name), *(_number(float(np.asarray(v)[i]), spec) for v, spec in there.values())]
        for i, name in enumerate(diagnostics.names[:MOST])
    ]
    facts = [f"{diagnostics.n_steps:,} steps of each chain"]
    body = table(["", *there], rows, len(diagnostics.names), "parameters")
    return frame("Diagnostics", facts, body)


def _number(value: float, spec: str = ".4g") -> str:
    return format(value, spec) if math.isfinite(value) else '<span style="opacity:.5">–</span>'
