"""What a process says of itself in what it writes: its id, its host, and its batch job."""

from __future__ import annotations

import os
import re
import socket
from typing import NamedTuple

__all__ = ["Origin", "batch_job", "read_signature", "signature"]

_JOBS = {
    "SLURM_JOB_ID": "slurm",
    "PBS_JOBID": "pbs",
    "LSB_JOBID": "lsf",
    "OAR_JOB_ID": "oar",
    "COBALT_JOBID": "cobalt",
    "FLUX_JOB_ID": "flux",
    "JOB_ID": "sge",
}
"""By which variable of the environment a batch system tells its jobs their ids."""

_SIGNATURE = re.compile(r"(\d+) on (.*?)(?:, (\w+ job .*))?", re.DOTALL)


class Origin(NamedTuple):
    """Who wrote something.

    Attributes
    ----------
    pid : int
    host : str
    job : str
        As `batch_job` says it.
    """

    pid: int
    host: str
    job: str


def batch_job() -> str:
    """Name the batch job that this process is part of, as "slurm job 123"; "" where it is none."""
    found = ((system, os.environ.get(name)) for name, system in _JOBS.items())
    return next((f"{system} job {job}" for system, job in found if job), "")


def signature() -> str:
    """Say who this process is, for `read_signature`."""
    job = batch_job()
    return f"{os.getpid()} on {socket.gethostname()}" + (f", {job}" if job else "")


def read_signature(text: str) -> Origin | None:
    """Read what `signature` said; None where it is something else."""
    match = _SIGNATURE.fullmatch(text)
    return None if match is None else Origin(int(match[1]), match[2], match[3] or "")
