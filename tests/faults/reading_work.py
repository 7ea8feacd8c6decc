"""What those do who read a store while it is written, and who writes it then."""

import time

import emcee
import h5py
import numpy as np
import rows
from stores import STORES, Emcee
from workloads import append

from drawstore.emcee import HDFBackend
from drawstore.hdf5.errors import is_lock_error

HZ = 100


def append_until_asked(name, path, ledger, layout, n, pace):
    """Append n rows at a pace, or until it is asked to end; close, and say so."""
    writer = STORES[name].resume(path, layout)
    i = writer.count()
    while i < n and not ledger.asked:
        i = append(writer, i, 1, ledger)
        time.sleep(pace)
    writer.close()
    ledger.said = 1


def poll(reader, name, path, ledger, layout):
    """Look at all rows 100 times a second until the writer is done: they are right, and more.

    Drawstore's own readers see each row whose append has returned.
    """
    look = READERS[reader](STORES[name], path, layout)
    seen = 0
    while True:
        done, appended = ledger.said, ledger.appended
        found = look()
        if found is not None:
            least = appended if reader in ("afresh", "held") else seen
            assert found >= max(seen, least), f"{found} rows after {seen}, {appended} appended"
            seen = found
        if done and found is not None:
            assert seen == ledger.appended
            return
        time.sleep(1 / HZ)


def _afresh(store, path, layout):
    """Drawstore, opened each time."""
    if isinstance(store, Emcee):
        return lambda: _steps(HDFBackend(path, read_only=True))
    return lambda: store.read(path, layout)


def _held(store, path, layout):
    """Drawstore, opened once."""
    chain = store.backend(path, "r").get_run(rows.RID).get_chains()[0]
    return lambda: layout.check(chain)


def _unless_locked(look):
    """Other programs' readers may find the file locked, for a moment."""

    def try_to():
        try:
            return look()
        except OSError as error:
            if not is_lock_error(error):
                raise
        except AttributeError as error:
            if "You must run the sampler" not in str(error):  # what emcee makes of it
                raise
        return None

    return try_to


def _emcee(store, path, layout):
    return _unless_locked(lambda: _steps(emcee.backends.HDFBackend(path, read_only=True)))


def _steps(backend):
    """Check steps that become more from one call to the next."""
    n = backend.iteration
    if n == 0:
        return 0
    log_prob = backend.get_log_prob()
    chain = backend.get_chain()
    assert n <= len(log_prob) <= len(chain)
    np.testing.assert_array_equal(log_prob[:, -1], -np.arange(float(len(log_prob))))
    np.testing.assert_array_equal(chain[:, -1, 0], np.arange(float(len(chain))))
    return n


def _h5py(store, path, layout):
    def look():
        with h5py.File(path) as file:
            group = file.get("mcmc")
            if group is None:
                found = file[f"drawstore/{rows.RID}/chains/0"]
                n = int(found.attrs["draws"])
                numbers = found["variables/0"][:n] if n else []
            else:
                n = int(group.attrs["iteration"])
                numbers = group["chain"][:n, 0, 0]
        np.testing.assert_array_equal(numbers, np.arange(n))
        return n

    return _unless_locked(look)


READERS = {"afresh": _afresh, "held": _held, "emcee": _emcee, "h5py": _h5py}
