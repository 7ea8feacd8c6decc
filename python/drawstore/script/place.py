"""Where the draws of a script are kept, and which random numbers it begins with."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Place", "find_place"]

_RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
_SEED_BITS = 128


@dataclass(frozen=True)
class Place:
    """Where the draws of a script are kept.

    Attributes
    ----------
    path : str
        The HDF5 file. Beside it is a JSON file that says how the script was called.
    shown : str
        The same, as seen from the directory in which the script was begun.
    command : list of str
        The script and its arguments.
    seed : int
        From which the random numbers begin that the script takes without a seed of its own; the
        same in each attempt.
    """

    path: str
    shown: str
    command: list[str]
    seed: int

    @property
    def words(self) -> list[int]:
        """The seed as NumPy takes it: numbers of 32 bits."""
        return [self.seed >> shift & 0xFFFFFFFF for shift in range(0, _SEED_BITS, 32)]

    def seed_python(self) -> None:
        """Have Python's own random numbers begin from the seed."""
        random.seed(self.seed)

    def write(self) -> None:
        """Make the directory, and write down what the next attempt has to know."""
        about = _about(self.path)
        if os.path.exists(about):
            return
        os.makedirs(os.path.dirname(about), exist_ok=True)
        with open(f"{about}.tmp", "w", encoding="utf-8") as file:
            json.dump({"command": self.command, "seed": self.seed}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{about}.tmp", about)


def find_place(
    target: str,
    arguments: Sequence[str],
    *,
    is_module: bool = False,
    out: str | os.PathLike[str] | None = None,
    fresh: bool = False,
) -> Place:
    """Find where the last attempt has kept its draws, or where a first one is to.

    Nothing is written. Processes of MPI, or of ``srun``, have a file each.

    Parameters
    ----------
    target, arguments, is_module, out, fresh
        Of `drawstore.script.run`.

    Raises
    ------
    ValueError
        Where the file that says how an earlier attempt began cannot be read.
    """
    folder = os.path.abspath(_folder(target, arguments, is_module) if out is None else out)
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    stem = "draws" if rank == "0" else f"draws-rank-{rank}"
    number = 1
    while _is_taken(_file(folder, stem, number + 1)):
        number += 1
    if fresh and _is_taken(_file(folder, stem, number)):
        number += 1
    path = _file(folder, stem, number)
    seed = secrets.randbits(_SEED_BITS)
    with contextlib.suppress(FileNotFoundError), open(_about(path), encoding="utf-8") as file:
        try:
            seed = int(json.load(file)["seed"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{_about(path)!r} does not say with which seed the script began ({error!r}); "
                "with --fresh it begins anew"
            ) from None
    here = os.getcwd() + os.sep
    return Place(path, path.removeprefix(here), [target, *arguments], seed)


def _folder(target: str, arguments: Sequence[str], is_module: bool) -> str:
    name = target if is_module else os.path.splitext(os.path.basename(target))[0]
    if arguments:
        given = " ".join(arguments)
        words = re.sub(r"[^\w.=+]+", "-", given).strip("-")[:40]
        name += f"-{words}-{hashlib.sha256(repr(list(arguments)).encode()).hexdigest()[:6]}"
    return f"{name}-drawstore"


def _file(folder: str, stem: str, number: int) -> str:
    return os.path.join(folder, f"{stem}.h5" if number == 1 else f"{stem}-{number}.h5")


def _about(path: str) -> str:
    return f"{os.path.splitext(path)[0]}.json"


def _is_taken(path: str) -> bool:
    return os.path.exists(path) or os.path.exists(_about(path))
