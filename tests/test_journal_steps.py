"""Steps of ensemble samplers that go straight into a journal."""

from types import SimpleNamespace

import numpy as np
import pytest

from drawstore._core import Journal, StepRecorder
from journals import ID

WALKERS, NDIM = 6, 2
STEP = [
    ("chain", "float64", [WALKERS, NDIM], [], False, False),
    ("log_prob", "float64", [WALKERS], [], False, False),
]
HIDDEN = [
    ("accepted", "float64", [WALKERS], [], False, False),
    ("random_state", "|V2512", [], [], False, False),
]
NUMBERS = [("blobs", "float32", [WALKERS, 3], [], False, False)]
TEXT = [("blobs", "str", [WALKERS], [], False, False)]
FIELDS = [
    ("blobs.a", "float64", [WALKERS], [], False, False),
    ("blobs.name", "str", [WALKERS], [], False, False),
]


def begin(variables, stats=()):
    """Begin a chain that goes on at step 100."""
    meta = ("run", [*STEP, *variables], list(stats), b"")
    return Journal(None).begin_chain(ID, "run", meta, 0, 100, 0)


def step_of(rng, blobs=None):
    return SimpleNamespace(
        coords=rng.randn(WALKERS, NDIM),
        log_prob=rng.randn(WALKERS),
        blobs=blobs,
        random_state=rng.get_state(),
    )


@pytest.mark.parametrize("as_stats", [False, True])
def test_steps_carry_what_a_resumed_run_needs(as_stats):
    chain = begin([] if as_stats else HIDDEN, HIDDEN if as_stats else [])
    get = chain.get_stats if as_stats else chain.get_draws
    accepted = np.arange(WALKERS, dtype=float)
    recorder = StepRecorder(chain, accepted)
    recorder.notify_at = 103
    rng = np.random.RandomState(1)
    steps = [step_of(rng) for _ in range(5)]
    flags = [rng.rand(WALKERS) < 0.5 for _ in steps]
    told = [recorder.save_step(step, flag) for step, flag in zip(steps, flags, strict=True)]
    assert told == [None, None, True, True, True]
    new = slice(100, None)
    np.testing.assert_array_equal(chain.get_draws("chain", new), [step.coords for step in steps])
    np.testing.assert_array_equal(
        chain.get_draws("log_prob", new), [step.log_prob for step in steps]
    )
    counts = np.arange(WALKERS) + np.cumsum(flags, axis=0)
    np.testing.assert_array_equal(get("accepted", new), counts)
    np.testing.assert_array_equal(accepted, counts[-1])
    for state, step in zip(get("random_state", new), steps, strict=True):
        assert np.asarray(state).tobytes()[:2496] == step.random_state[1].tobytes()
    assert recorder.take_other_states() == {}


def test_blobs_of_fixed_size():
    chain = begin(NUMBERS)
    rng = np.random.RandomState(1)
    blobs = rng.randn(4, WALKERS, 3)
    recorder = StepRecorder(chain, np.zeros(WALKERS))
    for one in blobs:
        recorder.save_step(step_of(rng, one), np.ones(WALKERS, dtype=bool))
    np.testing.assert_array_equal(
        chain.get_draws("blobs", slice(100, None)), blobs.astype("float32")
    )


def test_blobs_that_are_text():
    chain = begin(TEXT)
    rng = np.random.RandomState(1)
    texts = np.array([["x" * i * k for k in range(WALKERS)] for i in range(30)], dtype=object)
    recorder = StepRecorder(chain, np.zeros(WALKERS))
    for one in texts:
        recorder.save_step(step_of(rng, one), np.ones(WALKERS, dtype=bool))
    assert (chain.get_draws("blobs", slice(100, None)) == texts).all()
    with pytest.raises(ValueError, match="expected blobs"):
        recorder.save_step(step_of(rng), np.ones(WALKERS, dtype=bool))
    assert len(chain) == 130


def test_blobs_of_several_variables():
    chain = begin(FIELDS)
    rng = np.random.RandomState(1)
    numbers = []

    def split(row, blobs):
        numbers.append(row)
        return {"blobs.a": blobs["a"], "blobs.name": blobs["name"].astype(object)}

    recorder = StepRecorder(chain, np.zeros(WALKERS), split)
    blobs = np.zeros((3, WALKERS), dtype=[("a", "f8"), ("name", "U5")])
    blobs["a"] = rng.randn(3, WALKERS)
    blobs["name"] = np.arange(3 * WALKERS).reshape(3, WALKERS)
    for one in blobs:
        recorder.save_step(step_of(rng, one), np.ones(WALKERS, dtype=bool))
    np.testing.assert_array_equal(chain.get_draws("blobs.a", slice(100, None)), blobs["a"])
    assert (chain.get_draws("blobs.name", slice(100, None)) == blobs["name"]).all()
    assert numbers == [100, 101, 102]


def test_a_rejected_step_leaves_nothing():
    chain = begin(HIDDEN)
    accepted = np.zeros(WALKERS)
    recorder = StepRecorder(chain, accepted)
    step = step_of(np.random.RandomState(1))
    step.log_prob = np.zeros(WALKERS + 1)
    with pytest.raises(ValueError, match="expected 'log_prob'"):
        recorder.save_step(step, np.ones(WALKERS, dtype=bool))
    assert (len(chain), accepted.sum()) == (100, 0)


def test_what_a_recorder_cannot_fill():
    with pytest.raises(ValueError, match="what belongs into 'x'"):
        StepRecorder(begin([("x", "float64", [], [], False, False)]), None)
    meta = ("run", STEP[:1], [], b"")
    chain = Journal(None).begin_chain(ID, "run", meta, 0, 0, 0)
    with pytest.raises(ValueError, match="needs the variables 'chain' and 'log_prob'"):
        StepRecorder(chain, None)
