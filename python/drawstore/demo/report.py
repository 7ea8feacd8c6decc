"""What the demo prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .posterior import LineWithOutliers
from .sampling import Result

__all__ = ["heading", "report"]

# Slope and intercept in the paper, fitted by weighted least squares to points 5 to 20.
_PAPER = {"m": (2.24, 0.11), "b": (34.0, 18.0)}
_MORE = "sample more steps, 50 tau at least"


def heading(posterior: LineWithOutliers, steps: int, path: Path) -> str:
    """Say what is going to happen.

    Parameters
    ----------
    posterior : LineWithOutliers
    steps : int
    path : Path
        Of the HDF5 file.

    Returns
    -------
    str
        Lines of text.
    """
    return (
        f"A straight line through {len(posterior.x)} points with outliers "
        "(Hogg, Bovy & Lang 2010).\n"
        f"emcee samples {len(posterior.names)} parameters, {steps:,} steps, into {path}."
    )


def report(result: Result) -> str:
    """Say what came out.

    Parameters
    ----------
    result : Result

    Returns
    -------
    str
        Lines of text.
    """
    return "\n".join(
        ["", *_fit(result), "", *_convergence(result), *_file(result), *_costs(result)]
    )


def _fit(result: Result) -> list[str]:
    lines = [f"{'':<20}{'here':<20}the paper, without the outliers"]
    draws = result.draws
    for i, (name, word, digits) in enumerate([("m", "slope", 2), ("b", "intercept", 0)]):
        mean, spread = np.mean(draws[:, i]), np.std(draws[:, i])
        here = f"{mean:.{digits}f} ± {spread:.{digits}f}"
        paper = "{:.{digits}f} ± {:.{digits}f}".format(*_PAPER[name], digits=digits)
        lines.append(f"{word + ' ' + name:<20}{here:<20}{paper}")
    return lines


def _convergence(result: Result) -> list[str]:
    lines = [
        _line("acceptance", f"{result.acceptance:.2f}"),
        _line("burn-in", f"{result.burn_in:,} of {result.steps:,} steps left out"),
    ]
    if not np.all(np.isfinite(result.tau)):
        return [*lines, _line("tau", f"the chain is too short for an estimate: {_MORE}")]
    named = zip(result.posterior.names, result.tau, strict=True)
    tau = ", ".join(f"{name} {value:.0f}" for name, value in named)
    per_tau = (result.steps - result.burn_in) / np.max(result.tau)
    lines += [_line("tau", f"{tau} steps"), _line("steps per tau", f"{per_tau:.0f}")]
    if not result.converged:
        lines.append(_line("", f"the chain is too short for tau to be trusted: {_MORE}"))
    return lines


def _file(result: Result) -> list[str]:
    size = result.path.stat().st_size
    ratio = size / result.draw_bytes
    return [_line("file", f"{_bytes(size)}, {ratio:.2f} × its draws ({_bytes(result.draw_bytes)})")]


def _costs(result: Result) -> list[str]:
    ours, theirs = result.save_seconds, result.peer_save_seconds
    return [
        _line("saving a step", f"{_seconds(ours)} on average, the file complete at the end"),
        _line(
            "emcee's HDFBackend",
            f"{_seconds(theirs)} over {result.peer_steps} steps of the same run: "
            f"{theirs / ours:.3g} × as much",
        ),
    ]


def _line(name: str, text: str) -> str:
    return f"{name:<20}{text}"


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _seconds(seconds: float) -> str:
    return f"{1e6 * seconds:.1f} µs" if seconds < 1e-3 else f"{1e3 * seconds:.2f} ms"
