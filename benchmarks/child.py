"""Run a function of these modules in a fresh process, and measure its memory there."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def in_child(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of a module beside this one in a fresh Python.

    Parameters
    ----------
    function : callable
    *args
        Numbers, strings and lists of them, as what the function returns.

    Raises
    ------
    RuntimeError
        Where the process fails; what it said is in the message.
    """
    call = json.dumps([function.__module__, function.__name__, args])
    done = subprocess.run([sys.executable, __file__, call], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{call} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def extra_peak(function: Callable[[], Any]) -> int:
    """Bytes that this process had at most while a function ran, over those it had before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from now on
    before = resident()
    function()
    return max(0, status("VmHWM") - before)


def resident() -> int:
    """Bytes of memory that this process has."""
    return status("VmRSS")


def available() -> int:
    """Bytes of memory that a new process can have."""
    return kilobytes("/proc/meminfo", "MemAvailable")


def status(key: str) -> int:
    """Bytes of this process, by the name that the system has for them."""
    return kilobytes("/proc/self/status", key)


def kilobytes(path: str, key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB$", Path(path).read_text(), flags=re.MULTILINE)
    assert found, f"no {key} in {path}"
    return 1024 * int(found[1])


if __name__ == "__main__":
    module, name, arguments = json.loads(sys.argv[1])
    print(json.dumps(getattr(importlib.import_module(module), name)(*arguments)))
