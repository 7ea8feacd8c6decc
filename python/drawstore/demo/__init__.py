"""The demo: a straight line through points with outliers, sampled into an HDF5 file."""

from __future__ import annotations

import itertools
from pathlib import Path

import tqdm  # noqa: F401  # emcee's progress bar, which is left out without a word where it is not

from .pictures import draw_corner, draw_trace
from .posterior import LineWithOutliers, read_points
from .report import heading, report
from .sampling import sample

__all__ = ["run"]

FILE = "line.h5"


def run(steps: int, out: Path | None = None) -> None:
    """Sample, print what came out, and draw it.

    Parameters
    ----------
    steps : int
        To sample.
    out : Path, optional
        Folder for the file and the pictures. By default a new one: ``demo-out``, or
        ``demo-out-2`` and so on where that is taken.

    Raises
    ------
    FileExistsError
        Where the folder has a file of the demo already.
    OSError
        Where it cannot be written to.
    """
    folder = _new_folder() if out is None else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{str(folder)!r} is a file, not a folder") from None
    path = folder / FILE
    if path.exists():
        raise FileExistsError(
            f"{str(path)!r} is there already; delete it, or name another folder with --out"
        )
    posterior = LineWithOutliers(*read_points())
    print(heading(posterior, steps, path), flush=True)
    result = sample(posterior, steps, path)
    print(report(result), flush=True)
    trace, corner = folder / "trace.png", folder / "corner.png"
    draw_trace(result, trace)
    draw_corner(result, corner)
    print(f"pictures            {trace}, {corner}")


def _new_folder() -> Path:
    names = itertools.chain(["demo-out"], (f"demo-out-{i}" for i in itertools.count(2)))
    return next(folder for folder in map(Path, names) if not folder.exists())
