"""The chain buffer against a list of NumPy rows, under random sequences of calls."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from drawstore._core import ChainBuffer

VARIABLES = [
    ("x", np.dtype("f8"), (2, 3)),
    ("flag", np.dtype(bool), ()),
    ("long", np.dtype("longdouble"), (2,)),
    ("pair", np.dtype([("a", "i2"), ("b", "c16")]), ()),
    ("none", np.dtype("f4"), (0,)),
]
INDEX = st.none() | st.integers(-60, 60)
SLICES = st.builds(slice, INDEX, INDEX, st.none() | st.integers(-9, 9).filter(bool))
NAMES = st.sampled_from([name for name, _, _ in VARIABLES])


class Model(RuleBasedStateMachine):
    """What a buffer is to hold: the rows of each variable since the last reset, as arrays."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(0)
        self.buffer = None
        self.held = 0  # the first row that a ring still has to hold
        self.kept = []  # views, beside what they showed when they were made

    def start(self, **ring):
        self.ring = bool(ring)
        self.buffer = ChainBuffer(VARIABLES, **ring)
        self.forget()

    def forget(self):
        self.held = 0
        self.rows = {name: np.empty((0, *shape), dtype) for name, dtype, shape in VARIABLES}

    def random_rows(self, n):
        rows = {}
        for name, dtype, shape in VARIABLES:
            size = (n, *shape)
            if dtype.names:
                rows[name] = np.zeros(size, dtype)
                for field in dtype.names:
                    rows[name][field] = self.rng.integers(-99, 99, size)
            else:
                rows[name] = (self.rng.standard_normal(size) * 9).astype(dtype)
        return rows

    def remember(self, rows):
        for name, values in rows.items():
            self.rows[name] = np.concatenate([self.rows[name], values])

    @rule()
    def append(self):
        rows = self.random_rows(1)
        self.buffer.append({name: values[0] for name, values in rows.items()})
        self.remember(rows)

    @rule(n=st.integers(0, 40), strided=st.booleans())
    def extend(self, n, strided):
        rows = self.random_rows(2 * n if strided else n)
        if strided:
            rows = {name: values[::2] for name, values in rows.items()}
        self.buffer.extend(rows)
        self.remember(rows)

    @rule(n=st.integers(0, 200))
    def announce(self, n):
        self.buffer.announce(n)

    @rule()
    def reject(self):
        rows = self.random_rows(3)
        rows["long"] = rows["long"].astype(complex)
        with pytest.raises(TypeError):
            self.buffer.extend(rows)

    @rule(name=NAMES, slc=SLICES)
    def read(self, name, slc):
        wanted = range(len(self.rows[name]))[slc]
        if len(wanted) and min(wanted) < self.buffer.first_row:
            with pytest.raises(ValueError, match="not held"):
                self.buffer.get_draws(name, slc)
            return
        found = self.buffer.get_draws(name, slc)
        expected = self.rows[name][slc]
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert found.tobytes() == expected.tobytes()
        self.kept.append((found, expected.tobytes()))

    @rule()
    def reset(self):
        self.buffer.reset()
        self.forget()

    @rule()
    def make_anew(self):
        self.buffer = None
        self.start_again()

    @invariant()
    def counts_agree(self):
        if self.buffer is not None:
            assert len(self.buffer) == len(self.rows["x"])
            assert self.buffer.first_row <= self.held

    @invariant()
    def views_are_what_they_were(self):
        for view, shown in self.kept[-8:]:
            assert view.tobytes() == shown

    def teardown(self):
        self.buffer = None
        for view, shown in self.kept:
            assert view.tobytes() == shown


class LinearModel(Model):
    @initialize()
    def start_again(self):
        self.start()

    @rule(n=st.integers(0, 30))
    def fill_room(self, n):
        steps = len(self.buffer)
        self.buffer.announce(steps + n)
        rows = self.random_rows(n)
        for name, values in rows.items():
            self.buffer.get_room(name)[steps : steps + n] = values
        self.buffer.commit_room(n)
        self.remember(rows)


class RingModel(Model):
    @initialize(rows=st.integers(1, 7))
    def start_ring(self, rows):
        self.segment_rows = rows
        self.start_again()

    def start_again(self):
        self.start(segment_rows=self.segment_rows)

    @precondition(lambda self: len(self.rows["x"]) > 0)
    @rule(data=st.data())
    def confirm(self, data):
        row = data.draw(st.integers(0, len(self.rows["x"])))
        self.buffer.confirm(row)
        self.held = max(self.held, row)


MORE = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLinear = LinearModel.TestCase
TestLinear.settings = MORE
TestRing = RingModel.TestCase
TestRing.settings = MORE
