"""Files with a journal beside them, as a process leaves them that is killed."""

import os
import shutil

from drawstore import HDF5Backend, make_meta
from hdf_runs import META, fill, stored

ENV = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}  # of a process


def journal_of(path):
    """The name of the journal of a file."""
    return f"{path}-journal"


def kill_snapshot(path, to):
    """Copy a file and its journal in this moment: what is there when the process is killed now."""
    shutil.copy(path, to)
    shutil.copy(journal_of(path), journal_of(to))
    return to


def left_behind(path, stored=100, waiting=50, **options):
    """Make a file of a killed process: so many rows are in it, and so many in its journal."""
    source = f"{path}.of-the-killed"
    backend = HDF5Backend(source, flush_interval=1000, **options)
    chain = backend.init_run(META).init_chain(0)
    fill(chain, 0, stored)
    chain.flush()
    fill(chain, stored, waiting)
    kill_snapshot(source, path)
    chain.close()
    os.remove(source)
    return path


def set_aside(path):
    """Journals of a file that were set aside."""
    folder, name = os.path.split(journal_of(path))
    return sorted(found for found in os.listdir(folder) if found.startswith(f"{name}.set-aside"))


def healed(path, number=0):
    """Open the file so that it is put right, and give a chain of it as h5py sees it."""
    HDF5Backend(path).init_run(make_meta({"y": ("i8", ())}))
    return stored(path, number)
