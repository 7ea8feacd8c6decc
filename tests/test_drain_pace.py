"""When the background thread is there, and how often it drains a run."""

import gc
import threading
import time
import weakref

import numpy as np
from emcee import State

import drawstore.emcee
import scripting
from drawstore import drain
from drawstore.hdf5.store_file import StoreFile


def test_a_sampler_that_never_rests_is_drained_once_an_interval(tmp_path, monkeypatch):
    changes = []
    update = StoreFile.update

    def counted(self, *args, **kwargs):
        if self.path == str(tmp_path / "chain.h5"):  # not those that other tests left behind
            changes.append(time.monotonic())
        return update(self, *args, **kwargs)

    monkeypatch.setattr(StoreFile, "update", counted)
    backend = drawstore.emcee.HDFBackend(tmp_path / "chain.h5", flush_interval=0.2)
    backend.reset(4, 2)
    backend.grow(1_000_000, None)
    state = State(np.zeros((4, 2)), log_prob=np.zeros(4), random_state=None)
    accepted = np.ones(4, dtype=bool)
    start = time.monotonic()
    while time.monotonic() - start < 1.5:
        backend.save_step(state, accepted)
        time.sleep(0.0005)
    elapsed = time.monotonic() - start
    assert 2 <= len(changes) <= 2 + elapsed / 0.2
    backend.close()
    assert backend.iteration == len(backend.get_chain())


def test_the_thread_starts_with_the_first_step(tmp_path):
    def drains():
        return [thread for thread in threading.enumerate() if thread.name == "drawstore"]

    before = drains()
    backend = drawstore.emcee.HDFBackend(tmp_path / "chain.h5")
    backend.reset(4, 2)
    backend.grow(2, None)
    assert backend.iteration == 0
    assert drains() == before
    state = State(np.zeros((4, 2)), log_prob=np.zeros(4), random_state=None)
    backend.save_step(state, np.ones(4, dtype=bool))
    assert len(drains()) == 1
    backend.close()


def test_a_run_without_a_step_lets_go_of_its_file_when_the_process_ends(tmp_path):
    code = """
        import sys
        from drawstore.emcee import HDFBackend
        backend = HDFBackend(sys.argv[1])
        backend.reset(4, 2)
        backend.grow(10, None)
    """
    scripting.run(code, tmp_path / "chain.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["chain.h5"]


def test_a_run_that_is_scheduled_at_its_very_end_is_let_go(tmp_path):
    backend = drawstore.emcee.HDFBackend(tmp_path / "a.h5")
    backend.reset(4, 2)
    backend.grow(2, None)
    state = State(np.zeros((4, 2)), log_prob=np.zeros(4), random_state=None)
    backend.save_step(state, np.ones(4, dtype=bool))
    ended = backend._run
    backend.close()
    drain.schedule(ended, 0.0)  # as by a thread that had just saved the last step
    seen = weakref.ref(ended)
    del ended, backend
    end = time.monotonic() + 30
    while seen() is not None and time.monotonic() < end:
        time.sleep(0.01)
        gc.collect()
    assert seen() is None
