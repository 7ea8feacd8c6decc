"""Files of emcee for `drawstore rescue`, and what is saved of them."""

import h5py
import numpy as np

import drawstore
import drawstore.emcee
from drawstore.repacking import repack
from emcee_files import SHAPE
from hdf_files import save

STEPS = 2000


def made_up(path, **options):
    """A file of emcee's layout of 2000 steps, without padding, in chunks with checksums."""
    with drawstore.emcee.HDFBackend(str(path), journal=False) as backend:
        save(backend, STEPS, SHAPE)
    repack(path, **options)


def overwrite(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def chunks_of(path, name):
    """The place of each chunk of a dataset, by its first step."""
    with h5py.File(path) as file:
        found = []
        file[name].id.chunk_iter(found.append)
        return [(info.chunk_offset[0], info.byte_offset, info.size) for info in found]


def steps_of(path, name="mcmc"):
    with h5py.File(path) as file:
        group = file[name]
        assert len(group["chain"]) == len(group["log_prob"]) == group.attrs["iteration"]
        return group["chain"][...], group["log_prob"][...]


def check_stretches(done, whole):
    """Every step that was saved is, bit for bit, the one that it is said to be."""
    chain, log_prob = steps_of(whole)
    saved = 0
    for found in done.runs:
        for stretch in found.stretches:
            rows = slice(stretch.start, stretch.stop)
            for values, expected in zip(
                steps_of(done.to, stretch.name), (chain[rows], log_prob[rows]), strict=True
            ):
                assert np.isnan(values).all() or values.tobytes() == expected.tobytes()
            saved += stretch.stop - stretch.start
    return saved
