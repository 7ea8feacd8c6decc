"""`get_autocorr_time` asked again and again: emcee's numbers, from new steps only."""

import copy
import pickle

import emcee
import emcee.autocorr
import numpy as np
import pytest

import drawstore
import drawstore.emcee
from drawstore.emcee.stored import StoredBackend

NWALKERS, NDIM = 6, 2


def walk(n_steps, seed=1, coefficient=0.8):
    """Positions of an ensemble, correlated."""
    positions = np.random.default_rng(seed).normal(size=(n_steps, NWALKERS, NDIM))
    for i in range(1, n_steps):
        positions[i] += coefficient * positions[i - 1]
    return positions


def save(backend, positions):
    backend.grow(len(positions), None)
    random_state = np.random.RandomState(1).get_state()
    for coords in positions:
        state = emcee.State(coords, log_prob=np.zeros(NWALKERS), random_state=random_state)
        backend.save_step(state, np.zeros(NWALKERS, dtype=bool))


def expected(positions, discard=0, thin=1, c=5):
    return thin * emcee.autocorr.integrated_time(positions[discard + thin - 1 :: thin], c=c, tol=0)


def assert_times(backend, positions, **part):
    np.testing.assert_allclose(
        backend.get_autocorr_time(tol=0, **part), expected(positions, **part), rtol=1e-8
    )


def is_running(backend):
    """Whether the next call takes new steps only."""
    return backend._times._running.n_seen > 0


def follow(backend, positions, every=200, **part):
    """Save steps, and ask each time that some came."""
    for start in range(0, len(positions), every):
        save(backend, positions[start : start + every])
        assert_times(backend, positions[: start + every], **part)


@pytest.fixture(params=["memory", "HDF5", "MemoryBackend", "FileBackend"])
def backend(request, tmp_path):
    """An empty backend of each kind."""
    if request.param == "memory":
        made = drawstore.emcee.Backend()
    elif request.param == "HDF5":
        made = drawstore.emcee.HDFBackend(tmp_path / "chain.h5")
    elif request.param == "MemoryBackend":
        made = drawstore.emcee.Backend(store=drawstore.MemoryBackend())
    else:
        made = drawstore.emcee.Backend(store=drawstore.FileBackend(tmp_path / "runs"))
    made.reset(NWALKERS, NDIM)
    yield made
    if isinstance(made, StoredBackend):
        made.close()


@pytest.mark.parametrize(
    "part", [{}, {"discard": 130}, {"thin": 3}, {"discard": 51, "thin": 4, "c": 3}]
)
def test_every_point(backend, part):
    follow(backend, walk(1500), every=150, **part)
    assert is_running(backend)


def test_resume_goes_on(backend):
    positions = walk(3000)
    follow(backend, positions[:1400])
    if isinstance(backend, StoredBackend):
        backend.close()
    save(backend, positions[1400:2000])
    assert_times(backend, positions[:2000])
    follow_on = pickle.loads(pickle.dumps(backend)) if hasattr(backend, "filename") else backend
    assert_times(follow_on, positions[:2000])
    save(backend, positions[2000:])
    assert_times(backend, positions)
    assert_times(follow_on, positions)


def test_reset(backend):
    follow(backend, walk(1400))
    backend.reset(NWALKERS, NDIM)
    with pytest.raises(AttributeError):
        backend.get_autocorr_time(tol=0)
    follow(backend, walk(1400, seed=2))
    assert is_running(backend)
    backend.reset(NWALKERS, NDIM)
    save(backend, walk(1400, seed=3))
    assert_times(backend, walk(1400, seed=3))


def test_other_parts_in_between(backend):
    positions = walk(2400)
    for i, start in enumerate(range(0, 2400, 200)):
        save(backend, positions[start : start + 200])
        part = [{}, {}, {"discard": 20}, {"thin": 2}][i % 4]
        assert_times(backend, positions[: start + 200], **part)


def test_options_stay_what_they_were(backend, caplog):
    positions = walk(1400)
    follow(backend, positions)
    assert is_running(backend)
    with pytest.raises(emcee.autocorr.AutocorrError) as caught:
        backend.get_autocorr_time(tol=1000)
    np.testing.assert_allclose(caught.value.tau, expected(positions))
    with caplog.at_level("WARNING"):
        backend.get_autocorr_time(tol=1000, quiet=True)
    assert [record.name for record in caplog.records] == ["emcee.autocorr"]
    backend.get_autocorr_time(tol=0, has_walkers=False, threads=2)
    for options in ({"windows": 3}, {"threads": "2"}, {"c": "5"}):
        with pytest.raises(TypeError):
            backend.get_autocorr_time(tol=0, **options)
    with pytest.raises(ValueError, match="threads"):
        backend.get_autocorr_time(tol=0, threads=0)
    with pytest.raises(ValueError, match=r"thin=0|slice step"):
        backend.get_autocorr_time(tol=0, thin=0)
    with pytest.raises(ValueError, match="no steps"):
        backend.get_autocorr_time(tol=0, discard=5000)
    assert_times(backend, positions)


def test_copies_and_pickles_begin_anew(backend):
    positions = walk(1400)
    follow(backend, positions)
    copied = [copy.copy(backend)]
    if not hasattr(backend, "store"):
        copied.append(pickle.loads(pickle.dumps(backend)))
    for other in copied:
        assert "_times" not in vars(other)
        assert_times(other, positions)
    assert is_running(backend)


# New steps are all that is read.


def test_monitoring_reads_new_steps_only(tmp_path, monkeypatch):
    # emcee's tutorial on monitoring, as it stands, with the import changed.
    n_read = []
    backend = drawstore.emcee.HDFBackend(tmp_path / "tutorial.h5")
    backend.reset(16, 3)
    steps = drawstore.emcee.HDFBackend._steps

    def counted(self):
        context = steps(self)
        enter = context.__enter__

        class Counted:
            def __enter__(self):
                stored = enter()

                def read(name, rows):
                    n_read.append(len(rows))
                    return stored.read(name, rows)

                return type(stored)(
                    stored.count, stored.blobs, read, stored.accepted, stored.random_state
                )

            def __exit__(self, *exception):
                return context.__exit__(*exception)

        return Counted()

    monkeypatch.setattr(drawstore.emcee.HDFBackend, "_steps", counted)
    rng = np.random.default_rng(42)
    sampler = emcee.EnsembleSampler(16, 3, lambda x: -0.5 * x @ x, backend=backend)
    sampler.random_state = np.random.RandomState(3).get_state()
    index, autocorr, old_tau = 0, np.empty(100), np.inf
    for _sample in sampler.sample(rng.normal(size=(16, 3)), iterations=10_000):
        if sampler.iteration % 100:
            continue
        n_read.clear()
        tau = sampler.get_autocorr_time(tol=0)
        if sampler.iteration > 1500:
            assert sum(n_read) == 100 + 1  # with the last one before, to compare
        autocorr[index] = np.mean(tau)
        index += 1
        converged = np.all(tau * 100 < sampler.iteration)
        converged &= np.all(np.abs(old_tau - tau) / tau < 0.01)
        if converged and sampler.iteration >= 3000:
            break
        old_tau = tau
    assert 3000 <= sampler.iteration < 10_000
    np.testing.assert_allclose(
        tau, emcee.autocorr.integrated_time(sampler.get_chain(), tol=0), rtol=1e-8
    )


def test_another_handle_on_a_run_that_is_written(tmp_path):
    writer = drawstore.emcee.HDFBackend(tmp_path / "chain.h5")
    writer.reset(NWALKERS, NDIM)
    reader = drawstore.emcee.HDFBackend(tmp_path / "chain.h5", read_only=True)
    positions = walk(3000)
    for start in range(0, 2000, 200):
        save(writer, positions[start : start + 200])
        assert_times(reader, positions[: start + 200])
    assert is_running(reader)
    # Begun again, with as many steps and more: that is noticed.
    others = walk(3000, seed=2)
    writer.reset(NWALKERS, NDIM)
    save(writer, others[:2200])
    assert_times(reader, others[:2200])
    writer.close()
    save(writer, others[2200:])
    assert_times(reader, others)
    writer.close()


def test_a_chain_of_emcee_s_own_that_grows(tmp_path):
    theirs = emcee.backends.HDFBackend(tmp_path / "chain.h5")
    theirs.reset(NWALKERS, NDIM)
    reader = drawstore.emcee.HDFBackend(tmp_path / "chain.h5", read_only=True)
    positions = walk(480)
    for start in range(0, 480, 120):
        save(theirs, positions[start : start + 120])
        assert_times(reader, positions[: start + 120])
    assert is_running(reader)


# Steps in memory, which scripts may change in place.


@pytest.fixture
def in_memory():
    backend = drawstore.emcee.Backend()
    backend.reset(NWALKERS, NDIM)
    return backend


@pytest.mark.parametrize("through", ["chain", "get_chain", "get_value", "get_last_sample"])
@pytest.mark.parametrize("taken", ["before", "after"])
def test_steps_that_are_changed_in_place(in_memory, through, taken):
    positions = walk(3000)

    def take():
        if through == "chain":
            return in_memory.chain[: in_memory.iteration]
        if through == "get_last_sample":
            return in_memory.get_last_sample().coords[np.newaxis]
        return getattr(in_memory, through)(*(["chain"] if through == "get_value" else []))

    in_memory.grow(3000, None)  # so that the steps stay where they are
    save(in_memory, positions[:300])
    array = take()
    for piece in np.split(positions[300:1800], 5):
        save(in_memory, piece)
        in_memory.get_autocorr_time(tol=0)
    assert is_running(in_memory)
    if taken == "after":
        array = take()
    array %= 0.25
    changed = in_memory._steps.room("chain")[:1800].copy()
    assert (changed != positions[:1800]).any()
    assert_times(in_memory, changed)
    # And again, once it is known.
    for start in range(1800, 3000, 200):
        save(in_memory, positions[start : start + 200])
        changed = np.concatenate([changed, positions[start : start + 200]])
        assert_times(in_memory, changed)
    assert is_running(in_memory)
    array += 1e-3 * np.arange(NDIM) * np.arange(NWALKERS)[:, np.newaxis]
    assert_times(in_memory, in_memory._steps.room("chain")[:3000].copy())


def test_steps_that_are_looked_at_stay_fast(in_memory):
    positions = walk(3000)
    for start in range(0, 3000, 200):
        save(in_memory, positions[start : start + 200])
        in_memory.get_chain()
        assert_times(in_memory, positions[: start + 200])
    assert is_running(in_memory)


def test_arrays_that_are_assigned(in_memory):
    positions = walk(2000)
    follow(in_memory, positions)
    assert is_running(in_memory)
    others = walk(2000, seed=2)
    in_memory.chain = others
    assert_times(in_memory, others)
    others[:700] *= 3
    assert_times(in_memory, others)
    save(in_memory, positions[:300])
    assert_times(in_memory, np.concatenate([others, positions[:300]]))


def test_a_reset_keeps_nothing_alive(in_memory):
    follow(in_memory, walk(2000))
    assert is_running(in_memory)
    in_memory.reset(NWALKERS, NDIM)
    assert "_times" not in vars(in_memory)


def test_a_subclass_that_gives_another_chain():
    class Shifted(drawstore.emcee.Backend):
        def get_chain(self, **kwargs):
            return super().get_chain(**kwargs)[:, :, :1] ** 3

    backend = Shifted()
    backend.reset(NWALKERS, NDIM)
    positions = walk(2000)
    for start in range(0, 2000, 200):
        save(backend, positions[start : start + 200])
        assert_times(backend, positions[: start + 200, :, :1] ** 3)
    assert "_times" not in vars(backend)


def test_crc32c_of_pieces():
    data = np.random.default_rng(1).bytes(1000)
    whole = drawstore._core.crc32c(data)
    assert drawstore._core.crc32c(data[300:], drawstore._core.crc32c(data[:300])) == whole
    assert drawstore._core.crc32c(b"123456789") == 0xE3069283  # RFC 3720's polynomial
