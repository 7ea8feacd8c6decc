"""The helpers that the benchmarks measure with."""

import math
import sys
import time

import pytest

from child import extra_peak, in_child
from paired import Paired, Quartiles, Replay, measure, memcpy, timed
from table import Bar, Table


def peak_of_memcpy(n_bytes):
    """What `extra_peak` finds, to be called in a child."""
    copy = memcpy(n_bytes)
    return [extra_peak(copy), extra_peak(copy)]


def fail(text):
    """An error, in a child."""
    raise ValueError(text)


def test_contenders_take_turns_and_the_first_changes():
    order = []
    clock = iter(range(1, 100))

    def contender(name):
        def run():
            order.append(name)
            return float(next(clock))

        return run

    paired = measure({name: contender(name) for name in "abc"}, rounds=3, warm_up=1)
    assert "".join(order) == "cab" + "abc" + "bca" + "cab"
    assert paired.seconds == {"a": [4.0, 9.0, 11.0], "b": [5.0, 7.0, 12.0], "c": [6.0, 8.0, 10.0]}
    assert paired.rounds == 3
    assert paired.median("a") == 9.0


def test_a_ratio_is_taken_round_by_round():
    # The machine is ten times as slow in the last two rounds, for both.
    paired = Paired({"ours": [1.0, 2.0, 10.0, 20.0], "theirs": [3.0, 6.0, 30.0, 80.0]})
    assert paired.ratio("theirs", to="ours") == Quartiles(3.0, 3.0, 3.25)
    assert paired.scaled(theirs=10.0).ratio("theirs", to="ours").median == 30.0


def test_quartiles():
    assert Quartiles.of([5.0]) == Quartiles(5.0, 5.0, 5.0)
    assert Quartiles.of([3.0, 1.0, 2.0]) == Quartiles(1.5, 2.0, 2.5)


def test_rounds_that_not_all_took_part_in_are_refused():
    with pytest.raises(ValueError, match="every contender"):
        Paired({"a": [1.0], "b": [1.0, 2.0]})


def test_timed_counts_the_whole_function():
    assert timed(lambda: time.sleep(0.02))() >= 0.02


def test_pytest_benchmark_shows_the_rounds_that_were_measured():
    class Fixture:
        """What `show` uses of pytest-benchmark's: it reads the clock around what it runs."""

        def __init__(self, timer):
            self.timer, self.seconds, self.group = timer, [], None

        def pedantic(self, target, setup, rounds, iterations):
            for _ in range(rounds):
                args, kwargs = setup()
                start = self.timer()
                target(*args, **kwargs)
                self.seconds.append(self.timer() - start)

    clock = Replay()
    benchmark = Fixture(clock)
    clock.show(benchmark, Paired({"a": [1.5, 2.5], "b": [3.0, 4.0]}), "b", "a group")
    assert benchmark.group == "a group"
    assert benchmark.seconds == [3.0, 4.0]


def test_bars():
    assert Bar("at least", 4.0).met(4.0)
    assert not Bar("at least", 4.0).met(3.99)
    assert Bar("at most", 1.05).met(1.05)
    assert not Bar("at most", 1.05).met(1.06)
    assert not Bar("under", 5.0, "MB").met(5.0)
    assert not any(Bar(word, 1.0).met(math.nan) for word in ("at least", "at most", "under"))
    assert str(Bar("at least", 1000.0)) == "at least 1,000 ×"


def test_the_table_judges_by_medians():
    table = Table()
    paired = Paired({"drawstore": [1.0, 1.0], "emcee": [4.0, 6.0], "memcpy": [0.5, 0.5]})
    table.faster("saving", "emcee", paired, 5.0)
    table.faster("reading", "emcee", paired, 5.1)
    table.faster("looking", "emcee", paired, None)
    table.number("size", "draws", 1.5, Bar("at most", 1.1), remark="a file")
    table.slower("running", "no store", paired, "memcpy", 2.0)
    assert [row.work for row in table.missed] == ["reading", "size"]
    lines = [[cell.strip() for cell in line.split("|")] for line in table.markdown().splitlines()]
    verdicts = {line[1]: line[5] for line in lines[2:]}
    assert verdicts == {
        "saving": "met",
        "reading": "missed",
        "looking": "",
        "size": "missed",
        "running": "met",
    }
    assert lines[2][3:5] == ["5 × (4.5 to 5.5)", "at least 5 ×"]
    assert lines[2][6:8] == ["2 ×", "1 s against 5 s"]
    assert lines[5][3] == "1.5 ×"
    assert len({len(line) for line in table.markdown().splitlines()}) == 1


def test_a_bar_in_brackets_is_compared_with_but_not_judged():
    table = Table()
    paired = Paired({"drawstore": [1.0], "emcee": [2.0], "memcpy": [1.0]})
    table.faster("again", "emcee", paired, 2.0)
    assert table.summary() == ["Every bar was met."]
    table.faster("first", "emcee", paired, 3.0, judged=False)
    assert not table.missed
    assert "| (at least 3 ×) | (missed) |" in table.markdown()
    assert table.summary() == [
        "Every bar was met.",
        "In brackets, not judged: 1 below the bar that stands there.",
    ]


def test_small_sizes_are_not_judged():
    table = Table(verdict=False)
    table.number("size", "draws", 1.5, Bar("at most", 1.1))
    assert "missed" not in table.markdown()


def test_a_child_answers():
    assert in_child(math.hypot, 3.0, 4.0) == 5.0


def test_a_child_that_fails_says_why(monkeypatch, request):
    monkeypatch.setenv("PYTHONPATH", str(request.path.parent), prepend=":")
    with pytest.raises(RuntimeError, match="no bread"):
        in_child(fail, "no bread")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memcpy_takes_fresh_memory_each_time(monkeypatch, request):
    monkeypatch.setenv("PYTHONPATH", str(request.path.parent), prepend=":")
    peaks = in_child(peak_of_memcpy, 64 * 2**20)
    assert peaks == pytest.approx([64 * 2**20] * 2, abs=2 * 2**20)
