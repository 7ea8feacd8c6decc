"""Steps of emcee in a journal: what a killed process leaves, and what others see of a live one."""

import logging
import os
import signal
import threading
import time

import emcee
import h5py
import numpy as np
import pytest

import drawstore
from drawstore.emcee import HDFBackend
from emcee_runs import SHAPE, assert_same_array, assert_same_state
from hdf_files import made_up_states, save, steps_in, wait_until
from scripting import finish, run, start, wait_for

STEPS = 50

# Saves steps that depend on their number alone, and dies, waits or ends.
SAVE = """
import os, signal, sys, warnings
import numpy as np
import drawstore.delivery.delivery
from drawstore.emcee import HDFBackend
from hdf_files import made_up_states
import test_emcee_journal

path, kind, end = sys.argv[1:4]
options = dict(test_emcee_journal.OPTIONS[kind])
backend = HDFBackend(path, flush_interval=1000, **options)
backend.reset(*test_emcee_journal.SHAPE)
states = test_emcee_journal.states(kind)
if end == "delivered in between":
    backend.grow(1000, states[0].blobs)
backend.grow(1000, states[0].blobs)
for i, state in enumerate(states):
    if i == 20 and end == "delivered in between":
        backend.flush()
    backend.save_step(state, np.ones(len(state.coords), bool))
if end == "reset":
    backend.reset(*test_emcee_journal.SHAPE)
if end == "wait":
    print("saved", flush=True)
    for line in sys.stdin:
        if line.strip() == "flush":
            backend.flush()
        else:
            for state in states:
                backend.save_step(state, np.ones(len(state.coords), bool))
        print("done", flush=True)
if end == "exit":
    drawstore.delivery.delivery._SAFE_EXIT_WAIT = 0.2
    print("saved", flush=True)
    sys.stdin.readline()
    sys.exit()
os.kill(os.getpid(), signal.SIGTERM if end == "SIGTERM" else signal.SIGKILL)
"""

OPTIONS = {
    "plain": {},
    "gzip": {"compression": "gzip"},
    "written": {"store": "written"},
    "float32": {"dtype": np.float32},
    "blobs": {},
    "dicts": {},
    "text": {},
    "dicts with text": {},
}


def states(kind):
    """Give the steps that are saved, with blobs as emcee hands them over."""
    states = list(made_up_states(STEPS, SHAPE))
    for i, state in enumerate(states):
        energies = state.coords[:, 0]
        if kind == "blobs":
            state.blobs = state.coords * 2
        if kind == "dicts":
            state.blobs = np.array([{"energy": e, "n": i} for e in energies], dtype=object)
        if kind == "text":
            state.blobs = np.array([f"{i}ü" * (i % 3) for _ in energies], dtype=object)
        if kind == "dicts with text":
            state.blobs = np.array(
                [{"energy": e, "label": f"{i}" * (i % 4)} for e in energies], dtype=object
            )
    return states


@pytest.fixture(autouse=True)
def helpers_in_children(request, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(request.path.parent), prepend=":")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chain.h5"


def killed(path, kind="plain", end="kill", code=-signal.SIGKILL):
    run(SAVE, path, kind, end, code_expected=code)
    return path


def check(backend, kind="plain", steps=STEPS):
    """Check the steps, and all that belongs to the last of them."""
    saved = states(kind)[:steps]
    assert backend.iteration == steps
    dtype = np.float32 if kind == "float32" else np.float64
    assert_same_array(backend.get_chain(), np.array([s.coords for s in saved], dtype=dtype))
    assert_same_array(backend.get_log_prob(), np.array([s.log_prob for s in saved], dtype=dtype))
    assert_same_array(backend.accepted, np.full(SHAPE[0], float(steps)))
    assert_same_array(backend.get_chain(discard=3, thin=7), backend.get_chain()[9::7])
    last = backend.get_last_sample()
    if kind == "blobs" or (kind == "text" and isinstance(backend, HDFBackend)):
        assert_same_array(backend.get_blobs(), np.array([s.blobs for s in saved]))
    if "dicts" in kind and isinstance(backend, HDFBackend):
        assert [dict(blob) for blob in last.blobs] == list(saved[-1].blobs)
        assert backend.get_blobs().shape == (steps, SHAPE[0])
    expected = saved[-1].random_state
    assert_same_array(last.random_state[1], expected[1])
    assert list(last.random_state[2:]) == list(expected[2:])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestKilled:
    @pytest.mark.parametrize("kind", OPTIONS)
    def test_every_saved_step_is_there(self, path, kind):
        killed(path, kind)
        before = contents(path.parent)
        assert before.keys() == {"chain.h5", "chain.h5-journal", "chain.h5-redo"}
        check(HDFBackend(path, read_only=True), kind)
        assert contents(path.parent) == before  # reading writes nothing
        blobs = states(kind)[0].blobs
        with HDFBackend(path) as backend:
            check(backend, kind)
            backend.grow(0, blobs)
            check(backend, kind)
        check(emcee.backends.HDFBackend(path, read_only=True), kind)
        assert os.listdir(path.parent) == ["chain.h5"]
        with h5py.File(path) as file:
            assert file["mcmc/chain"].compression == ("gzip" if kind == "gzip" else None)

    def test_some_steps_are_in_the_file(self, path):
        killed(path, "blobs", "delivered in between")
        assert steps_in(path) == 20
        backend = HDFBackend(path, read_only=True)
        check(backend, "blobs")
        assert_same_array(backend.get_chain(discard=15, thin=3), backend.get_chain()[17::3])
        assert_same_array(backend.get_blobs(discard=19), backend.get_blobs()[19:])
        assert len(backend.get_chain(discard=STEPS)) == 0
        with HDFBackend(path) as backend:
            backend.grow(1, np.zeros(SHAPE))
            backend.save_step(*self.step_with_blobs())
        assert steps_in(path) == STEPS + 1

    def step_with_blobs(self):
        (state,) = made_up_states(1, SHAPE)
        state.blobs = np.zeros(SHAPE)
        return state, np.ones(SHAPE[0], bool)

    def test_sigterm_is_as_a_kill(self, path):
        killed(path, end="SIGTERM", code=-signal.SIGTERM)
        check(HDFBackend(path))

    def test_opening_for_h5py_puts_the_steps_into_the_file(self, path):
        killed(path)
        with HDFBackend(path).open() as file:
            assert len(file["mcmc/chain"]) == STEPS
        assert os.listdir(path.parent) == ["chain.h5"]

    def test_as_a_run_of_drawstore(self, path):
        killed(path, "dicts with text")
        (run,) = [drawstore.open(path).get_run("mcmc")]
        chains = run.get_chains()
        saved = states("dicts with text")
        assert [len(chain) for chain in chains] == [STEPS] * SHAPE[0]
        assert drawstore.open(path).get_runs()[0].chains == dict.fromkeys(range(SHAPE[0]), STEPS)
        expected = np.array([state.coords[3, 1] for state in saved])
        assert_same_array(chains[3].get_draws("var_1"), expected)
        assert_same_array(chains[3].get_draws("var_1", slice(None, None, -9)), expected[::-9])
        assert chains[0].get_draws("label")[-1] == saved[-1].blobs[0]["label"]

    def test_reset_forgets_what_waits(self, path, recwarn):
        killed(path, "blobs", "reset")
        for backend in (HDFBackend(path, read_only=True), HDFBackend(path)):
            assert backend.iteration == 0
        save(backend, 3, SHAPE)
        backend.close()
        assert steps_in(path) == 3
        assert os.listdir(path.parent) == ["chain.h5"]
        assert not list(recwarn)


class TestStale:
    """Steps that do not follow those in the file are never written to it."""

    def set_aside(self, path, match):
        backend = HDFBackend(path)
        with pytest.warns(RuntimeWarning, match=match) as warned:
            save(backend, 2, SHAPE, seed=9)
        assert len(warned) == 1
        backend.close()
        assert sorted(os.listdir(path.parent)) == ["chain.h5", "chain.h5-journal.set-aside"]

    def test_gone_on_with_in_emcee(self, path):
        killed(path, end="delivered in between")
        save(emcee.backends.HDFBackend(path), 4, SHAPE, seed=5)
        assert HDFBackend(path, read_only=True).iteration == 24
        self.set_aside(path, "another program changed 'mcmc'")
        assert steps_in(path) == 26

    def test_begun_anew_in_emcee(self, path):
        killed(path)
        theirs = emcee.backends.HDFBackend(path)
        theirs.reset(*SHAPE)
        assert HDFBackend(path, read_only=True).iteration == 0
        self.set_aside(path, "'mcmc' is not in the file any more, or was begun anew")
        assert steps_in(path) == 2

    def test_gone_on_with_in_emcee_by_the_way(self, path):
        backend = HDFBackend(path)
        save(backend, 3, SHAPE, announce=100)
        backend.flush()
        save(emcee.backends.HDFBackend(path), 4, SHAPE, seed=5)
        save(backend, 2, SHAPE, announce=100)
        with pytest.raises(RuntimeError, match="another program changed the run"):
            backend.close()
        assert sorted(os.listdir(path.parent)) == ["chain.h5", "chain.h5-journal"]
        self.set_aside(path, "another program changed 'mcmc'")
        assert steps_in(path) == 9

    def test_deleted(self, path):
        killed(path)
        path.unlink()
        assert not HDFBackend(path).initialized
        self.set_aside(path, "not in the file any more")
        assert steps_in(path) == 2


class TestLive:
    def test_another_process_sees_each_step_at_once(self, path):
        process = start(SAVE, path, "dicts with text", "wait")
        wait_for(process, "saved")
        reader = HDFBackend(path, read_only=True)
        run = drawstore.open(path).get_run("mcmc")
        chain = run.get_chains()[5]
        assert emcee.backends.HDFBackend(path, read_only=True).iteration == 0
        check(reader, "dicts with text")
        for i, what in enumerate(["more", "flush", "more", "flush"]):
            process.stdin.write(what + "\n")
            process.stdin.flush()
            wait_for(process, "done")
            n = STEPS * (2 + (i >= 2))
            assert reader.iteration == len(chain) == n
            coords = np.array([state.coords for state in states("plain")])
            assert_same_array(reader.get_chain(), np.concatenate([coords] * (n // STEPS)))
            run.refresh()
            assert_same_array(chain.get_draws("var_0"), reader.get_chain()[:, 5, 0])
        assert emcee.backends.HDFBackend(path, read_only=True).iteration == 3 * STEPS
        process.kill()
        process.communicate()

    def test_who_reads_needs_no_emcee(self, path):
        backend = HDFBackend(path, flush_interval=1000)
        save(backend, 3, SHAPE, announce=100)
        run(
            """
            import sys; sys.modules["emcee"] = None
            import drawstore
            chain = drawstore.open(sys.argv[1]).get_run("mcmc").get_chains()[5]
            assert len(chain.get_draws("var_0")) == 3
            """,
            path,
        )
        backend.close()

    def test_exit_does_not_wait_for_who_holds_the_file(self, path):
        process = start(SAVE, path, "plain", "exit")
        wait_for(process, "saved")
        with h5py.File(path):
            _, err = finish_after_a_line(process)
        assert f"the last {STEPS} steps are kept in the journal" in err
        check(HDFBackend(path))

    def test_who_helps_to_deliver_waits_for_no_reader(self, path, monkeypatch):
        monkeypatch.setattr("drawstore.delivery.delivery.BACKLOG_BYTES", 0)
        monkeypatch.setattr("drawstore.delivery.delivery.BACKLOG_WAIT", 1000.0)
        shape = (64, 32)
        backend = HDFBackend(path, flush_interval=1000, max_buffer=2**20)
        save(backend, 1, shape, announce=1000)
        backend.flush()
        with h5py.File(path):
            for state in made_up_states(40, shape):  # less than max_buffer
                backend.save_step(state, np.ones(shape[0], bool))
        backend.close()
        assert steps_in(path) == 41

    def test_closing_says_where_steps_are_kept(self, path):
        backend = HDFBackend(path, flush_interval=1000)
        save(backend, 3, SHAPE, announce=100)
        reader = start(
            "import h5py, sys; f = h5py.File(sys.argv[1]); print('open', flush=True); "
            "sys.stdin.read()",
            path,
        )
        wait_for(reader, "open")
        with pytest.raises(TimeoutError, match=r"3 steps .* in the journal '.*chain\.h5-journal'"):
            backend.close(timeout=0.1)
        finish(reader)
        backend.close()
        assert steps_in(path) == 3


def finish_after_a_line(process):
    process.stdin.write("\n")
    process.stdin.flush()
    process.wait(60)
    return finish(process)


class TestOptions:
    def test_journal_elsewhere(self, path, tmp_path_factory):
        journal = tmp_path_factory.mktemp("scratch") / "steps"
        OPTIONS["elsewhere"] = {"journal": journal}
        backend = HDFBackend(path, journal=journal)
        save(backend, 3, SHAPE, announce=100)
        assert journal.exists()
        assert not path.with_name("chain.h5-journal").exists()
        backend.close()
        assert not journal.exists()
        assert steps_in(path) == 3

    def test_none(self, path):
        backend = HDFBackend(path, journal=False, flush_interval=1000)
        save(backend, 3, SHAPE, announce=100)
        assert backend.iteration == 3
        assert sorted(os.listdir(path.parent)) == ["chain.h5", "chain.h5-redo"]
        backend.close()
        assert steps_in(path) == 3

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"sync_interval": -1}, "sync_interval is a number of seconds, got -1"),
            ({"max_buffer": 0}, "max_buffer is a number of bytes, got 0"),
            ({"store": "sent"}, "store is 'auto', 'mapped' or 'written', got 'sent'"),
        ],
    )
    def test_that_make_no_sense(self, path, options, message):
        with pytest.raises(ValueError, match=message):
            HDFBackend(path, **options)

    def test_steps_wait_when_the_buffer_is_full(self, path, caplog):
        shape = (64, 32)
        backend = HDFBackend(path, max_buffer=2**20)
        backend.reset(*shape)
        backend.grow(1000, None)
        saved = []

        def sample():
            for state in made_up_states(200, shape):
                backend.save_step(state, np.ones(shape[0], bool))
                saved.append(backend.iteration)

        sampler = threading.Thread(target=sample)
        reader = start(
            "import h5py, sys; f = h5py.File(sys.argv[1]); print('open', flush=True); "
            "sys.stdin.read()",
            path,
        )
        wait_for(reader, "open")
        with caplog.at_level(logging.WARNING, "drawstore"):
            sampler.start()
            wait_until(lambda: "the sampler waits" in caplog.text)
        count = len(saved)
        assert 20 < count < 150
        time.sleep(0.05)
        assert len(saved) == count
        finish(reader)
        sampler.join(60)
        backend.close()
        assert caplog.text.count("the sampler waits") == 1
        assert steps_in(path) == 200
        expected = np.array([state.coords for state in made_up_states(200, shape)])
        assert_same_array(HDFBackend(path).get_chain(), expected)

    def test_flushing_again_and_again_reuses_the_journal(self, path):
        backend = HDFBackend(path, flush_interval=1000)
        backend.reset(*SHAPE)
        backend.grow(10_000, None)
        sizes = []
        for _ in range(30):
            save(backend, 40, SHAPE)
            backend.flush()
            sizes.append(os.path.getsize(str(path) + "-journal"))
        assert sizes[-1] == sizes[10]
        assert_same_state(backend.get_last_sample(), list(made_up_states(40, SHAPE))[-1])
        backend.close()
