"""Which files of Stan make a run."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence

__all__ = ["find_runs", "looks_like_stan"]

_CHAIN = re.compile(r"(?P<stem>.*?)[-_.](?P<number>\d{1,5})(?:-[0-9a-f]{6})?", re.DOTALL)
_FIRST_COLUMNS = (b"lp__", b"lp_approx__", b"log_p__")
_FIRST_BYTES = 64  # which tell of most files of others that they are none
_HEAD_BYTES = 1 << 14


def looks_like_stan(path: str) -> bool:
    """Say whether a file begins as those of cmdstan do: with its version, or a column of its own.

    Raises
    ------
    OSError
        Where it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        head = file.read(_FIRST_BYTES)
        if head.startswith(b"#"):
            head += file.read(_HEAD_BYTES)
    lines = (line for line in head.splitlines() if not line.startswith(b"#"))
    first = next(lines, b"").split(b",")[0].strip()
    return (head.startswith(b"#") and b"stan_version_major" in head) or first in _FIRST_COLUMNS


def find_runs(
    where: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
) -> dict[str, dict[int, str]]:
    """Find files, and put those together that are chains of one run.

    Files that are listed are chains of one run, whatever their names. Of those in a directory, or
    that a pattern matches, runs are told apart by name: ``fit_1.csv`` and ``fit_2.csv`` are chains
    1 and 2 of the run "fit", and so are ``fit-1-03d1f2.csv`` and ``fit-2-5ae210.csv``.

    Parameters
    ----------
    where : path-like, or sequence of path-like
        A file, a directory, a pattern as `glob` takes it, or files.

    Returns
    -------
    dict of str to dict of int to str
        For each run, by its id, the path of each chain.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    ValueError
        Where two files are the same chain of a run.
    """
    if not isinstance(where, str | os.PathLike):
        return _one_run([os.path.abspath(path) for path in where])
    path = os.path.abspath(os.fspath(where))
    if os.path.isfile(path):
        return _one_run([path])
    pattern = os.path.join(glob.escape(path), "*.csv") if os.path.isdir(path) else path
    paths = sorted(p for p in glob.glob(pattern) if os.path.isfile(p) and looks_like_stan(p))
    if not paths:
        raise FileNotFoundError(f"there are no files of Stan at {os.fspath(where)!r}")
    return _by_name(paths)


def _one_run(paths: Sequence[str]) -> dict[str, dict[int, str]]:
    if not paths:
        raise FileNotFoundError("no files of Stan were named")
    names = [_split(path) for path in paths]
    numbers = [number for _, number in names if number is not None]
    if len(set(numbers)) < len(paths):
        numbers = list(range(len(paths)))
    return {os.path.basename(names[0][0]): dict(zip(numbers, paths, strict=True))}


def _by_name(paths: Iterable[str]) -> dict[str, dict[int, str]]:
    runs: dict[str, dict[int, str]] = {}
    for path in paths:
        stem, number = _split(path)
        chains = runs.setdefault(stem, {})
        if (other := chains.setdefault(number or 0, path)) != path:
            raise ValueError(
                f"{path!r} and {other!r} are both chain {number or 0} of the run "
                f"{os.path.basename(stem)!r}; list the files that are chains of one run"
            )
    folder = os.path.commonpath([os.path.dirname(stem) for stem in runs])
    return {
        os.path.relpath(stem, folder).replace(os.sep, "/"): dict(sorted(chains.items()))
        for stem, chains in runs.items()
    }


def _split(path: str) -> tuple[str, int | None]:
    """Give the path without the number of the chain, and that."""
    folder, name = os.path.split(path)
    name = name.removesuffix(".csv")
    match = _CHAIN.fullmatch(name)
    if match is None or not match["stem"]:
        return os.path.join(folder, name), None
    return os.path.join(folder, match["stem"]), int(match["number"])
