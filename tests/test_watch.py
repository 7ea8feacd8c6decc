"""`drawstore watch`: runs that grow, in a terminal and in a pipe."""

import json
import re
import signal
import subprocess
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import drawstore
import drawstore.cli
import drawstore.emcee
from drawstore.cli import main
from drawstore.watching import Watcher
from drawstore.watching.sparkline import BLOCKS, sparkline
from drawstore.watching.trace import Trace
from emcee_runs import run as run_emcee
from scripting import finish, start, wait_for
from terminal import DRAWSTORE, Terminal

SCHEMA = json.loads((Path(drawstore.cli.__file__).parent / "schemas/watch.json").read_text())

# Begins runs, and appends to them what its stdin asks for.
WRITER = """
import sys
import numpy as np
import drawstore

rng = np.random.default_rng(1)
meta = drawstore.make_meta({"slope": (float, ()), "[red]b\\x1b[31m": (float, (2,))},
    {"tune": (bool, ()), "acceptance_rate": (float, ())}, rid="")
backend = drawstore.FileBackend(sys.argv[1])
chains = []
for line in sys.stdin:
    word, *numbers = line.split()
    if word == "run":
        meta.rid = "a run" if not chains else "[blue]another\\x1b]0;x\\x07"
        run = backend.init_run(meta)
        chains = [run.init_chain(i) for i in range(2)]
    elif word == "end":
        run.close()
    else:
        n = int(numbers[0])
        for chain in chains:
            tune = np.full(n, word == "tune")
            chain.extend({"slope": rng.normal(size=n), "[red]b\\x1b[31m": rng.normal(size=(n, 2))},
                {"tune": tune, "acceptance_rate": np.full(n, 0.25)})
    print("done", flush=True)
"""


class Writer:
    def __init__(self, path):
        self._process = start(WRITER, path)

    def __call__(self, order):
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        wait_for(self._process, "done")

    def end(self, number=None):
        if number is not None:
            self._process.send_signal(number)
        finish(self._process, 0 if number is None else -number)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def writer(place):
    made = Writer(place)
    made("run")
    yield made
    if made._process.poll() is None:
        made.end()


def shown(terminal):
    return terminal.screen().splitlines()


class TestTerminal:
    def watch(self, place, *options, **kwargs):
        return Terminal([*DRAWSTORE, "watch", place, "--interval", "0.1", *options], **kwargs)

    def test_a_run_from_its_first_draw_to_its_end(self, place, writer):
        with self.watch(place, columns=100, rows=30) as terminal:
            terminal.wait_for("no draws yet")
            writer("tune 40")
            terminal.wait_for("warming up")
            writer("draw 600")
            text = terminal.wait_for("1,280")
            row = next(line for line in text.splitlines() if line.startswith("a run  "))
            assert re.fullmatch(r"a run +running +1,280 +80 +0 s .* 0\.25 .*not yet.*", row)
            assert "[red]b\\x1b[31m[1]" in text
            curve = next(line for line in text.splitlines() if line.startswith("slope"))
            warmup, rest = re.search(rf"([{BLOCKS}]+)\|([{BLOCKS}]+)$", curve.strip()).groups()
            assert 0 < len(warmup) < len(rest)
            assert "R-hat" in text

            terminal._tmux("resize-window", "-x", "40", "-y", "12")
            writer("draw 10")
            text = terminal.wait_for("1,300")
            assert all(len(line) <= 40 for line in text.splitlines())
            assert len(text.splitlines()) <= 12
            assert re.search(r"^run +state +draws", text, re.MULTILINE)
            assert re.search(rf"^slope.* [{BLOCKS}]+", text, re.MULTILINE)

            terminal._tmux("resize-window", "-x", "110", "-y", "40")
            writer("run")
            writer("draw 500")
            text = terminal.wait_for("1,000")
            assert r"[blue]another\x1b]0;x\x07" in text
            writer("end")
            text = terminal.wait_for("ended")
            terminal.type("q")
            text = terminal.wait_for("[ended]")
            assert r"[blue]another\x1b]0;x\x07" in text  # what was last seen stays
            assert "Traceback" not in text

    @pytest.mark.parametrize("end", ["q", "C-c"])
    def test_how_it_ends(self, place, writer, end):
        command = f"{' '.join(DRAWSTORE)} watch {place}; echo code $?; stty -a | tr ' ;' '\\n'"
        with Terminal(command) as terminal:
            terminal.wait_for("no draws yet")
            terminal.type(end)
            text = terminal.wait_for("[ended]")
            assert "code 0\n" in text
            assert {"icanon", "echo"} <= set(text.split())
            assert "Traceback" not in text

    def test_colours(self, place, writer):
        writer("draw 100")
        for variables, has in ({}, True), ({"NO_COLOR": "1"}, False):
            with self.watch(place, "-n", "1", **variables) as terminal:
                text = terminal.wait_for("[ended]")
                assert "200" in text
                assert bool(re.search(r"\x1b\[[0-9;]*3[0-7]m", terminal.screen(True))) == has

    def test_a_place_that_is_not_there_yet(self, tmp_path, place):
        with self.watch(place) as terminal:
            terminal.wait_for("waiting for")
            writer = Writer(place)
            writer("run")
            writer("draw 7")
            terminal.wait_for("14")
            writer.end()


def piped(*arguments):
    done = subprocess.run(
        [*DRAWSTORE, "watch", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


class TestPiped:
    def test_lines(self, place, writer):
        writer("draw 300")
        writer("end")
        (line,) = piped(place, "--once")
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  a run  ended  600 draws  .*acceptance 0\.25"
            r"  tau \S+  ESS \d+  R-hat \d\.\d+  not converged yet  last draw \d+ s ago",
            line,
        )

    def test_json(self, place, writer, capsys):
        writer("tune 10")
        writer("draw 300")
        assert main(["watch", str(place), "-n", "2", "--interval", "0.05", "--json"]) == 0
        reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(reports) == 2
        for report in reports:
            jsonschema.validate(report, SCHEMA)
            (run,) = report["runs"]
            assert (run["rid"], run["state"], run["is_over"]) == ("a run", "running", False)
            assert run["draws"] == {"0": 310, "1": 310}
            chains = run["status"]["chains"]
            assert [(chain["draws"], chain["warmup"]) for chain in chains] == [(300, 10)] * 2
            slope = run["status"]["parameters"][0]
            last = [
                c.get_draws("slope")[-1]
                for c in drawstore.open(place).get_run("a run").get_chains()
            ]
            assert slope["name"] == "slope"
            assert slope["last"] == pytest.approx(np.mean(last))
            assert 0.9 < slope["rhat"] < 1.1

    @pytest.mark.parametrize("before", [[], ["draw 3"]], ids=str)
    def test_runs_with_few_draws(self, place, writer, capsys, before):
        for order in before:
            writer(order)
        assert main(["watch", str(place), "--once", "--json"]) == 0
        jsonschema.validate(json.loads(capsys.readouterr().out), SCHEMA)
        assert main(["watch", str(place), "--once"]) == 0

    def test_until_the_end(self, place, writer):
        process = subprocess.Popen(
            [*DRAWSTORE, "watch", place, "--until-end", "--interval", "0.05"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "running" in process.stdout.readline()
        writer("draw 20")
        while "40 draws" not in process.stdout.readline():
            assert process.poll() is None
        writer("end")
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "ended" in out.splitlines()[-1]

    def test_ctrl_c(self, place, writer):
        process = subprocess.Popen(
            [*DRAWSTORE, "watch", place], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")

    def test_what_cannot_be_watched(self, tmp_path, place, writer, capsys):
        (tmp_path / "text").write_text("no runs")
        for arguments, said in [
            ([tmp_path / "nothing", "--once"], "there is nothing at"),
            ([tmp_path / "text"], "is a file that is not HDF5"),
            ([place, "another", "--once"], "there is no run 'another'"),
        ]:
            assert main(["watch", *map(str, arguments)]) == 1
            out, err = capsys.readouterr()
            assert out == ""
            assert err.startswith("drawstore: ")
            assert said in err
        assert main(["watch", str(place), "--interval", "0"]) == 2


class TestWatcher:
    def test_a_look_reads_what_came_since(self, tmp_path, monkeypatch):
        run = drawstore.FileBackend(tmp_path).init_run(drawstore.make_meta({"x": (float, ())}))
        chain = run.init_chain(0)
        rng = np.random.default_rng(1)
        chain.extend({"x": rng.normal(size=50_000)})
        watcher = Watcher(str(tmp_path))
        (first,) = watcher.look()
        assert first.n_draws == 50_000
        read = []
        for kind in (type(chain), type(drawstore.open(tmp_path).get_run(run.rid).get_chains()[0])):
            get_draws, get_at = kind.get_draws, kind.get_draws_at

            def draws(self, name, slc=slice(None), get=get_draws):
                values = get(self, name, slc)
                read.append(len(values))
                return values

            def at(self, i, names=None, get=get_at):
                read.append(1)
                return get(self, i, names)

            monkeypatch.setattr(kind, "get_draws", draws)
            monkeypatch.setattr(kind, "get_draws_at", at)
        chain.extend({"x": rng.normal(size=100)})
        (second,) = watcher.look()
        assert second.n_draws == 50_100
        assert 100 <= sum(read) < 3000  # blocks of the monitor's sums among them

    def test_states(self, place, writer, monkeypatch):
        clock = [0.0]
        monkeypatch.setattr("drawstore.watching.watcher.time.monotonic", lambda: clock[0])
        watcher = Watcher(str(place), "a run")

        def state(order="", seconds=0.0):
            clock[0] += seconds
            if order:
                writer(order)
            (sight,) = watcher.look()
            return sight.state, sight.is_over

        assert state("draw 10") == ("running", False)
        assert state("draw 10", 2.0) == ("running", False)
        assert state("", 9.0) == ("running", False)
        assert state("", 2.0) == ("stalled", False)
        assert state("draw 1") == ("running", False)
        # One draw of both chains in 1000 s: it may wait for as long as 20 of them take.
        assert state("draw 1", 1000.0) == ("running", False)
        assert state("", 600.0) == ("running", False)
        assert state("", 3000.0) == ("stalled", False)
        writer("draw 5")
        writer.end(signal.SIGKILL)
        name, is_over = state()
        assert name in ("left", "ended")  # all that it had may be on the disk
        assert is_over

    def test_files_of_emcee_and_of_its_own(self, tmp_path):
        run_emcee(drawstore.emcee.HDFBackend(tmp_path / "a.h5", name="one"), 150)
        run_emcee(drawstore.emcee.HDFBackend(tmp_path / "a.h5", name="two"), 150)
        (tmp_path / "text").write_text("no runs")
        sights = Watcher(str(tmp_path)).look()
        assert [(sight.rid, sight.n_draws, sight.is_over) for sight in sights] == [
            ("one", 150, True),
            ("two", 150, True),
        ]
        backend = drawstore.emcee.HDFBackend(tmp_path / "a.h5", name="two", read_only=True)
        last = backend.get_chain()[-1].mean(axis=0)
        for i in range(backend.ndim):
            assert sights[1].trace.last(i) == pytest.approx(last[i])
        at, values = sights[1].trace.values(0)
        np.testing.assert_allclose(values, backend.get_chain()[at, :, 0].mean(axis=1))

    def test_many_runs_are_followed_when_they_grow(self, tmp_path):
        backend = drawstore.FileBackend(tmp_path)
        chains = [
            backend.init_run(drawstore.make_meta({"x": (float, ())}, rid=f"{i:02}")).init_chain(0)
            for i in range(12)
        ]
        for chain in chains:
            chain.append({"x": 1.0})
        for chain in chains[1:]:
            chain.close()
        watcher = Watcher(str(tmp_path))
        assert [s.rid for s in watcher.look() if s.status is not None] == ["00"]
        backend.get_run("05").init_chain(0, resume=True).append({"x": 2.0})
        assert [s.rid for s in watcher.look() if s.status is not None] == ["00", "05"]


def test_a_trace_keeps_a_bounded_number_of_draws(tmp_path):
    run = drawstore.MemoryBackend().init_run(drawstore.make_meta({"x": (float, (2,))}))
    chains = [run.init_chain(i) for i in range(2)]
    trace = Trace(run, ["x[0]", "x[1]"])
    trace.update(0)
    assert np.isnan(trace.last(1))
    n = 0
    for more in (1, 5, 100, 60, 1000, 7):
        rows = np.arange(n, n + more)
        for i, chain in enumerate(chains):
            chain.extend({"x": np.stack([rows + i, -rows], axis=1)})
        n += more
        trace.update(n)
        at, values = trace.values(0)
        assert min(n, 64) <= len(at) <= 128
        assert len(set(np.diff(at))) <= 1
        np.testing.assert_array_equal(values, at + 0.5)
        assert trace.last(1) == -(n - 1)
    trace.update(3)  # the run was begun anew
    assert list(trace.values(0)[0]) == [0, 1, 2]


def test_a_trace_goes_on_where_a_chain_has_ended():
    run = drawstore.MemoryBackend().init_run(drawstore.make_meta({"x": (float, (2,))}))
    chains = [run.init_chain(i) for i in range(2)]
    for i, chain in enumerate(chains):
        chain.extend({"x": np.full((5, 2), float(i))})
    trace = Trace(run, ["x[0]", "x[1]"])
    trace.update(5)
    chains[1].extend({"x": np.full((95, 2), 7.0)})
    trace.update(100)
    assert trace.last(0) == 7.0
    np.testing.assert_array_equal(trace.values(1)[1], [0.5] * 5 + [7.0] * 95)


@pytest.mark.parametrize(
    ("values", "width", "warmup", "expected"),
    [
        ([], 10, 0, ("", "")),
        ([1, 2, 3, 4, 5, 6, 7, 8], 8, 0, ("", BLOCKS)),
        ([1, 2, 3, 4, 5, 6, 7, 8], 8, 3, (BLOCKS[:3], BLOCKS[3:])),
        ([0, 0, 7, 7], 2, 4, ("▁█", "")),
        ([0, np.nan, 7], 3, 0, ("", "▁ █")),
        ([3, 3, 3], 3, 0, ("", "▅▅▅")),
        ([np.nan, np.inf], 2, 0, ("", "  ")),
        ([1, 2], 0, 0, ("", "")),
        ([-1e308, 1e308], 2, 0, ("", "▅▅")),
    ],
)
def test_sparklines(values, width, warmup, expected):
    assert sparkline(np.arange(len(values)), values, width, warmup=warmup) == expected
