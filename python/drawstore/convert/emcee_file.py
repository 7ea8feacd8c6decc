"""Runs into HDF5 files of emcee, in its own layout."""

from __future__ import annotations

import h5py

from drawstore.ensemble import by_walkers, is_ensemble
from drawstore.hdf5.dtypes import file_dtype
from drawstore.hdf5.emcee_layout import append_steps, create_group, declare_blobs
from drawstore.interface import Run

from .blocks import Rows, block_rows, blocks
from .steps import Steps, steps_of, why_no_ensemble
from .walkers import parameters_in, some
from .writing import Writer

__all__ = ["WRITERS"]

_GROUP = "mcmc"  # which emcee reads by default


class _EmceeWriter(Writer):
    def __init__(self, run: Run) -> None:
        super().__init__(run)
        if reason := why_no_ensemble(run):
            raise ValueError(
                f"run {run.rid!r} is none of an ensemble, which is all that emcee's files hold: "
                f"{reason}"
            )
        self._steps = steps_of(run)
        if self._steps.blobs is not None:
            file_dtype(self._steps.blobs.dtype)
        self.n_rows = self._steps.count * self._steps.nwalkers
        self.losses += _losses(run, self._steps)

    def write(self, path: str, rows: Rows) -> None:
        steps = self._steps
        with h5py.File(path, "w") as file:
            shape = steps.nwalkers, steps.ndim
            create_group(file, path, _GROUP, shape, steps.dtype, None, None)
            group = file[_GROUP]
            if steps.blobs is not None:
                declare_blobs(group, steps.blobs, None, None)
            keys = ["chain", "log_prob", *(["blobs"] if steps.blobs is not None else [])]
            for block in blocks(steps.count, block_rows(steps.row_bytes)):
                append_steps(
                    group,
                    block.start,
                    {key: steps.read(key, block) for key in keys},
                    steps.count,
                    steps.blobs,
                    steps.accepted,
                    steps.random_state,
                )
                rows.add(len(block) * steps.nwalkers)
                file.flush()


def _losses(run: Run, steps: Steps) -> list[str]:
    losses = list(steps.losses)
    names = list(by_walkers(run).variables if is_ensemble(run) else parameters_in(run))
    if any(not name.startswith("var_") for name in names):
        losses.append(f"the names of the parameters, which become coordinates: {some(names)}")
    if not is_ensemble(run) and steps.random_state is None:
        losses.append("how many proposals were accepted is not known, and is zero")
    data = [*run.observed_data, *run.constant_data]
    if data:
        losses.append(f"the data {some(data)}")
    groups = list(run._load_groups()) if is_ensemble(run) else []
    if groups:
        losses.append(f"the groups {some(groups)}")
    known = ("layout", "parameters", "blobs_are_dicts")
    others = [
        name
        for name in run.attributes
        if name not in known and not name.startswith("inference_library")
    ]
    if others:
        losses.append(f"the attributes {some(others)}")
    return losses


WRITERS = {"emcee": _EmceeWriter}
