"""`drawstore run`: unmodified scripts, run plainly and recorded, ended and started again."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import emcee
import numpy as np
import pytest

import script_children
from drawstore.emcee import HDFBackend
from drawstore.script.place import find_place
from faults.nursery import Nursery
from scripting import LIGHT

# Ends as a script does that is killed in the middle of a call of its likelihood function.
LIKELIHOOD = """
import os, signal, sys
import numpy as np
import emcee

kill_at = int(os.environ.get("KILL_AT", "-1"))
calls = 0

def log_prob(x):
    global calls
    calls += 1
    if calls == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return -0.5 * np.sum(x**2)

def save(sampler):
    print(calls, sampler.iteration)
    np.savez("out.npz", chain=sampler.get_chain(), log_prob=sampler.get_log_prob(),
        accepted=sampler.backend.accepted, state=sampler.random_state[1])
"""
BURN_IN_AND_PRODUCTION = f"""{LIKELIHOOD}
means = np.random.rand(2)  # without a seed
sampler = emcee.EnsembleSampler(8, 2, lambda x: log_prob(x - means))
state = sampler.run_mcmc(np.random.randn(8, 2), 20)
sampler.reset()
sampler.run_mcmc(state, 30)
save(sampler)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLURM_PROCID", raising=False)


def write(code, name="fit.py"):
    with open(name, "w", encoding="utf-8") as file:
        file.write(textwrap.dedent(code))
    return name


@pytest.fixture(scope="module")
def nursery():
    made = Nursery([script_children.__name__])
    yield made
    made.close()


@pytest.fixture
def forked(nursery, monkeypatch):
    """Have `python` fork a child, rather than start."""

    def run(args, code, env):
        child = nursery.start(script_children.run, os.getcwd(), list(args), env)
        assert child.wait() == code, Path("stderr").read_text()
        return SimpleNamespace(stdout=Path("stdout").read_text(), stderr=Path("stderr").read_text())

    monkeypatch.setitem(globals(), "_run", run)


def _run(args, code, env):
    done = subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def python(*args, code=0, **env):
    """Run Python; gives what it printed."""
    return _run(args, code, env)


def recorded(*args, **kwargs):
    """Run a script with `drawstore run`; gives what it printed, and the lines of drawstore."""
    done = python("-m", "drawstore", "run", *args, **kwargs)
    return done.stdout, [x for x in done.stderr.splitlines() if x.startswith("drawstore: ")]


def out():
    with np.load("out.npz") as file:
        return dict(file)


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values, err_msg=name)


def steps_of(path):
    """Count the steps of each group, with those that a kill has left in the journal."""
    with HDFBackend(path, read_only=True).open() as file:
        names = list(file)
    return {name: HDFBackend(path, name, read_only=True).iteration for name in names}


def test_the_quickstart_of_emcee_gives_the_same_numbers(request):
    source = (request.path.parent / "scripts/emcee_quickstart.py").read_text(encoding="utf-8")
    write(source.replace("10000", "300").replace("get_autocorr_time()", "get_autocorr_time(tol=0)"))
    with open("fit.py", "a", encoding="utf-8") as file:
        file.write("np.save('chain.npy', sampler.get_chain())\n")
    plain = python("fit.py").stdout
    theirs = np.load("chain.npy")
    printed, said = recorded("fit.py")
    assert printed == plain
    np.testing.assert_array_equal(np.load("chain.npy"), theirs)
    path = "fit-drawstore/draws.h5"
    assert said == [
        f"drawstore: fit.py keeps its draws in {path}; to see them: drawstore watch {path}",
        f"drawstore: 400 new steps are in {path}",
    ]
    assert sorted(os.listdir("fit-drawstore")) == ["draws.h5", "draws.json"]
    kept = emcee.backends.HDFBackend(path, name="sampler-1.reset-1", read_only=True)
    np.testing.assert_array_equal(kept.get_chain(), theirs)
    assert steps_of(path) == {"sampler-1": 100, "sampler-1.reset-1": 300}


@pytest.mark.usefixtures("forked")
def test_killed_and_started_again():
    """In burn-in, in production, and once more there; it has no seed."""
    write(BURN_IN_AND_PRODUCTION)
    path = "fit-drawstore/draws.h5"
    recorded("fit.py", KILL_AT="100", code=-signal.SIGKILL)
    assert steps_of(path) == {"sampler-1": 11}
    recorded("fit.py", KILL_AT="130", code=-signal.SIGKILL)
    # 8 calls to see that it is the same posterior.
    assert steps_of(path) == {"sampler-1": 20, "sampler-1.reset-1": 6}
    printed, said = recorded("fit.py")
    assert printed == f"{8 + 8 + 24 * 8} 30\n"
    assert said[0].startswith("drawstore: fit.py goes on with fit-drawstore/draws.h5")
    assert said[1] == f"drawstore: 24 new steps and 26 of earlier attempts are in {path}"
    ours = out()
    recorded("--out", "whole", "fit.py")  # of one that nothing interrupts, from the same seed
    os.replace("fit-drawstore/draws.json", "whole/draws.json")
    os.remove("whole/draws.h5")
    recorded("--out", "whole", "fit.py")
    assert_same(ours, out())


@pytest.mark.usefixtures("forked")
def test_fresh_leaves_what_there_is():
    write(BURN_IN_AND_PRODUCTION)
    recorded("fit.py", KILL_AT="100", code=-signal.SIGKILL)
    _, said = recorded("--fresh", "fit.py", KILL_AT="300", code=-signal.SIGKILL)
    assert "keeps its draws in fit-drawstore/draws-2.h5" in said[0]
    recorded("fit.py")
    assert steps_of("fit-drawstore/draws.h5") == {"sampler-1": 11}
    steps = steps_of("fit-drawstore/draws-2.h5")
    assert steps == {"sampler-1": 20, "sampler-1.reset-1": 30}


@pytest.mark.usefixtures("forked")
def test_a_script_that_changed_begins_anew_beside_the_old_draws():
    write(BURN_IN_AND_PRODUCTION)
    recorded("fit.py", KILL_AT="300", code=-signal.SIGKILL)
    write(BURN_IN_AND_PRODUCTION.replace("-0.5 *", "-0.6 *"))
    _, said = recorded("fit.py")
    assert [line.split(": ", 1)[1][:34] for line in said[1:3]] == [
        "the 20 steps of 'sampler-1' are no",
        "the 16 steps of 'sampler-1.reset-1",
    ]
    assert steps_of("fit-drawstore/draws.h5") == {
        "sampler-1": 20,
        "sampler-1.attempt-2": 20,
        "sampler-1.reset-1": 16,
        "sampler-1.reset-1.attempt-2": 30,
    }
    ours = out()
    _, said = recorded("fit.py")
    assert len(said) == 2
    assert_same(out(), ours)


@pytest.mark.usefixtures("forked")
def test_more_steps_are_wanted_than_there_are():
    write(BURN_IN_AND_PRODUCTION)
    recorded("fit.py")
    short = out()
    write(BURN_IN_AND_PRODUCTION.replace("30)", "45)"))
    recorded("fit.py")
    np.testing.assert_array_equal(out()["chain"][:30], short["chain"])
    assert steps_of("fit-drawstore/draws.h5") == {"sampler-1": 20, "sampler-1.reset-1": 45}


# A loop that ends by a rule, tuned and thinned, with blobs; a file of the script's own, which it
# begins anew; and calls that go on with what is there.
EVERYTHING = f"""{LIKELIHOOD}
np.random.seed(7)
moves = [(emcee.moves.DEMove(), 0.8), (emcee.moves.StretchMove(), 0.2)]
blobs = emcee.EnsembleSampler(8, 2, lambda x: (log_prob(x), x[0], {{"a": x[1]}}["a"]), moves=moves,
    blobs_dtype=[("u", float), ("v", float)])
for i, state in enumerate(blobs.sample(np.random.randn(8, 2), iterations=1000, thin_by=3)):
    if np.all(np.abs(np.mean(blobs.get_chain(), axis=(0, 1))) < 0.1) and i > 5:
        break
print(i, blobs.iteration, blobs.get_blobs()[-1]["u"], state.random_state[2])
labelled = emcee.EnsembleSampler(8, 2, lambda x: (log_prob(x), "far" if x[0] > 1 else "near"))
labelled.run_mcmc(state.coords, 5)
print(labelled.get_blobs()[:, 0])
backend = emcee.backends.HDFBackend("own.h5")
backend.reset(8, 2)
sampler = emcee.EnsembleSampler(8, 2, log_prob, backend=backend)
for _ in range(4):
    sampler.run_mcmc(state.coords if _ == 0 else None, 10, tune=True)
save(sampler)
assert isinstance(backend, emcee.backends.HDFBackend)
"""


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("kills", [[], [60, 200], [700], [1200, 150, 40]], ids=str)
def test_everything_at_once(kills):
    write(EVERYTHING)
    plain = python("fit.py").stdout.split("\n")[:-2]
    theirs = out()
    for calls in kills:
        recorded("fit.py", KILL_AT=str(calls), code=-signal.SIGKILL)
    printed, _ = recorded("fit.py")
    assert printed.split("\n")[:-2] == plain
    assert_same(out(), theirs)
    own = emcee.backends.HDFBackend("own.h5", read_only=True)
    np.testing.assert_array_equal(own.get_chain(), theirs["chain"])


GOES_ON_BY_ITSELF = f"""{LIKELIHOOD}
backend = emcee.backends.HDFBackend("own.h5")
sampler = emcee.EnsembleSampler(8, 2, log_prob, backend=backend)
start = None if backend.iteration else np.random.randn(8, 2)
sampler.run_mcmc(start, 40 - backend.iteration)
save(sampler)
"""


@pytest.mark.usefixtures("forked")
def test_a_script_that_goes_on_with_its_own_file():
    write(GOES_ON_BY_ITSELF)
    recorded("fit.py", KILL_AT="100", code=-signal.SIGKILL)
    printed, _ = recorded("fit.py")
    calls, steps = map(int, printed.split())
    assert steps == 40
    assert calls in (8 * 29 + 8, 8 * 29 + 16)
    assert steps_of("fit-drawstore/draws.h5") == {"sampler-1": 40}
    kept = HDFBackend("fit-drawstore/draws.h5", "sampler-1", read_only=True)
    np.testing.assert_array_equal(kept.get_chain(), out()["chain"])


AS_PYTHON_DOES = """
import sys; sys.modules["scipy.stats"] = None  # see scripting.LIGHT
# Children of a pool say so, too: in one write, so that none comes between the words of another.
here = sys.path[0] == __import__("os").path.dirname(__file__)
loaded = sorted({"numpy", "h5py", "emcee"} & set(sys.modules))
sys.stdout.write(f"{loaded} {__name__} {__spec__} {sys.argv[1:]} {here} {__file__} {__doc__}\\n")
import atexit, multiprocessing, pickle
import helper
import numpy as np, emcee
from emcee.backends import HDFBackend

class Model:
    def __call__(self, x):
        return -0.5 * np.sum(x**2)

def chain(seed):
    np.random.seed(seed)
    return emcee.EnsembleSampler(8, 2, Model()).run_mcmc(np.random.randn(8, 2), 5).coords[0, 0]

if __name__ == "__main__":
    atexit.register(lambda: print("at exit", pickle.loads(pickle.dumps(Model()))(np.ones(2))))
    np.random.seed(3)
    start = np.random.randn(8, 2)
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            sampler = emcee.EnsembleSampler(8, 2, Model(), pool=pool)
            sampler.run_mcmc(start, 10)
            for i, state in enumerate(sampler.sample(start, iterations=30)):
                if i == 10:
                    pickled = pickle.dumps(sampler)
                    break
            print(sampler.get_chain()[-1, :2], pool.map(chain, [1, 2]))
            copied = pickle.loads(pickled)
            print(copied._moves, copied.backend.iteration, type(copied.backend))
    chain = sampler.get_chain()
    chain[0] = 7.0
    print(sampler.get_chain()[0, 0])
    helper.end(sys.argv)
"""


def without_addresses(text):
    return re.sub(r" at 0x\w+", "", text)


def assert_runs_as_python_does(*arguments, code):
    plain = python(*arguments, code=-signal.SIGINT if code == 130 else code)
    ours = python("-m", "drawstore", "run", *arguments, code=code)
    assert without_addresses(ours.stdout) == without_addresses(plain.stdout)
    said = [line for line in ours.stderr.splitlines() if not line.startswith("drawstore: ")]
    assert said == plain.stderr.splitlines()


def test_as_python_runs_a_script(tmp_path):
    (tmp_path / "beside").mkdir()
    write(AS_PYTHON_DOES, "beside/fit.py")
    write("def end(argv): raise SystemExit(len(argv))", "beside/helper.py")
    arguments = ["beside/fit.py", "--seed", "3", "-h", "--", "--fresh"]
    assert_runs_as_python_does(*arguments, code=6)
    (folder,) = [name for name in os.listdir() if name.endswith("-drawstore")]
    assert folder.startswith("fit-seed-3-h-fresh-")
    assert steps_of(f"{folder}/draws.h5") == {"sampler-1": 21, "sampler-2": 21}


# An error within a call of a sampler, with what emcee prints of it; and others without emcee.
FAILING = """
import sys; sys.modules["scipy.stats"] = None
import numpy as np, emcee
np.random.seed(1)
def log_prob(x):
    raise ArithmeticError("of the script") from KeyError("another")
emcee.EnsembleSampler(8, 2, log_prob).run_mcmc(np.random.randn(8, 2), 5)
"""


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1, FAILING),
        (1, "import sys; sys.exit('a word')"),
        (0, "import sys; sys.exit()"),
        (130, "def f(): raise KeyboardInterrupt\nf()"),
        (1, "this is no Python"),
    ],
)
def test_as_a_script_ends(code, text):
    write(text)
    assert_runs_as_python_does("fit.py", code=code)


def test_as_python_runs_a_module(tmp_path):
    (tmp_path / "package").mkdir()
    write("", "package/__init__.py")
    write("def end(): print('the end')", "package/helper.py")
    write(
        """
        import sys
        from . import helper
        print(__name__, __spec__.name, sys.argv, sys.path[0])
        helper.end()
        """,
        "package/fit.py",
    )
    plain = python("-m", "package.fit", "-m", "x").stdout
    printed, said = recorded("-m", "package.fit", "-m", "x")
    assert printed == plain
    assert said[-1] == "drawstore: it did not import emcee"
    assert os.listdir() == ["package"]  # nothing was kept, so nothing is left


# What emcee refuses, in its words; steps that are not stored; a fork that ends as a script does.
AT_THE_EDGE = f"""{LIKELIHOOD}
sampler = emcee.EnsembleSampler(8, 2, log_prob)
start = np.random.RandomState(1).randn(8, 2)
for wrong in (dict(iterations=None), dict(thin_by=0), dict(initial_state=start[1:]),
        dict(initial_state=None), dict(initial_state=start.astype(str))):
    try:
        list(sampler.sample(**dict(initial_state=start, iterations=3) | wrong))
    except Exception as error:
        print(type(error), str(error)[:50])
sampler.run_mcmc(start, 5, store=False)
print(sampler.iteration)
if os.fork() == 0:
    sys.exit(sampler.run_mcmc(start, 3) is None)
print(os.waitstatus_to_exitcode(os.wait()[1]))
for precision in (np.float32, np.longdouble, int):
    other = emcee.EnsembleSampler(8, 2, log_prob)
    other.random_state = np.random.RandomState(1).get_state()
    state = other.run_mcmc((10 * start).astype(precision), 5)
    print(state.coords.dtype, state.coords[0, 0], other.get_chain().dtype)
"""


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("kill_at", [None, 130])
def test_what_is_unusual(kill_at):
    write(AT_THE_EDGE)
    plain = python("fit.py").stdout
    if kill_at is not None:
        recorded("fit.py", KILL_AT=str(kill_at), code=-signal.SIGKILL)
    assert recorded("fit.py")[0] == plain
    steps = steps_of("fit-drawstore/draws.h5")
    assert steps == {f"sampler-{number}": 5 for number in (1, 2, 3)}


# What emcee refuses when it begins to sample: walkers that depend on one another, and NaN.
REFUSED = f"""{LIKELIHOOD}
sampler = emcee.EnsembleSampler(8, 2, log_prob)
for refused, start in (sampler, np.ones((8, 2))), (emcee.EnsembleSampler(8, 2, lambda x: np.nan),
        np.random.RandomState(1).randn(8, 2)):
    try:
        refused.run_mcmc(start, 5)
    except ValueError as error:
        print(str(error)[:36])
if os.environ.get("AGAIN"):
    sampler.run_mcmc(np.random.RandomState(1).randn(8, 2), 5)
    save(sampler)
"""


@pytest.mark.usefixtures("forked")
def test_a_call_that_emcee_refuses_leaves_nothing():
    write(REFUSED)
    printed, said = recorded("fit.py")
    assert printed == "Initial state has a large condition \nProbability function returned NaN\n"
    assert said[-1] == "drawstore: no sampler of emcee has stored a step"
    assert not os.path.exists("fit-drawstore")
    recorded("fit.py", AGAIN="1")
    first = out()
    assert steps_of("fit-drawstore/draws.h5") == {"sampler-2": 5}
    _, said = recorded("fit.py", AGAIN="1")
    assert_same(out(), first)
    assert "0 new steps and 5 of earlier attempts" in said[-1]


def test_a_second_one_at_the_same_time(tmp_path):
    code = f"{LIGHT}{LIKELIHOOD}\nsampler = emcee.EnsembleSampler(8, 2, log_prob)\n"
    wait = "print('ready', flush=True); input()"
    write(f"{code}sampler.run_mcmc(np.random.randn(8, 2), 5)\n{wait}\nsampler.run_mcmc(None, 5)")
    first = subprocess.Popen(
        [sys.executable, "-m", "drawstore", "run", "fit.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert first.stdout.readline() == "ready\n"
    done = python(
        "-m",
        "drawstore",
        "run",
        "--out",
        "fit-drawstore",
        write(code + "sampler.run_mcmc(np.random.randn(8, 2), 9)", "other.py"),
        code=1,
    )
    assert f"process {first.pid}" in done.stderr
    first.communicate("\n", timeout=60)
    assert first.returncode == 0
    assert steps_of("fit-drawstore/draws.h5") == {"sampler-1": 10}


LMFIT = """
import os, signal
import numpy as np, lmfit

np.random.seed(1)
kill_at = int(os.environ.get("KILL_AT", "-1"))
calls = 0
x = np.linspace(1, 10, 40)
y = 3 * np.exp(-x / 2) + 0.1 * np.random.randn(x.size)

def residual(p):
    global calls
    calls += 1
    if calls == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return p["a"] * np.exp(-x / p["t"]) - y

parameters = lmfit.create_params(a=dict(value=4, min=0, max=10), t=dict(value=3, min=0.1, max=10))
fit = lmfit.Minimizer(residual, parameters)
options = dict(nwalkers=20, is_weighted=False, progress=False)
result = fit.emcee(steps=30, burn=10, thin=2, **options)
more = fit.emcee(steps=10, reuse_sampler=True, **options)
np.savez("out.npz", chain=result.chain, more=more.chain, fraction=more.acceptance_fraction)
"""


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("calls", [None, 300, 700])
def test_emcee_behind_lmfit(calls):
    write(LMFIT)
    python("fit.py")
    theirs = out()
    if calls is not None:
        recorded("fit.py", KILL_AT=str(calls), code=-signal.SIGKILL)
    recorded("fit.py")
    assert_same(out(), theirs)
    assert steps_of("fit-drawstore/draws.h5") == {"sampler-1": 40}


class TestPlace:
    def test_arguments_have_a_folder_each(self):
        found = {
            find_place("a/fit.py", arguments).path
            for arguments in ([], ["a b"], ["a", "b"], ["--x=1"], ["ü/../"], ["--x", "1" * 99])
        }
        names = {os.path.basename(os.path.dirname(path)) for path in found}
        assert len(names) == 6
        assert "fit-drawstore" in names
        assert all(len(name) < 70 and name.startswith("fit-") for name in names)

    def test_processes_of_mpi_have_a_file_each(self, monkeypatch):
        monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
        assert find_place("fit.py", []).path.endswith("fit-drawstore/draws.h5")
        monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "3")
        assert find_place("fit.py", []).path.endswith("fit-drawstore/draws-rank-3.h5")

    def test_the_seed_is_that_of_the_first_attempt(self):
        first = find_place("fit.py", [])
        assert find_place("fit.py", []).seed != first.seed
        first.write()
        assert find_place("fit.py", []).seed == first.seed
        find_place("fit.py", []).write()
        assert find_place("fit.py", []).seed == first.seed
        assert find_place("fit.py", [], fresh=True).seed != first.seed

    @pytest.mark.parametrize("text", ["", "{}", '{"seed": "x"}', "[1]"])
    def test_one_that_cannot_be_read(self, text):
        first = find_place("fit.py", [])
        first.write()
        with open("fit-drawstore/draws.json", "w", encoding="utf-8") as file:
            file.write(text)
        with pytest.raises(ValueError, match=r"draws\.json' does not say with which seed"):
            find_place("fit.py", [])
        assert find_place("fit.py", [], fresh=True).path.endswith("draws-2.h5")


def test_usage():
    done = python("-m", "drawstore", "run", "nothing.py", code=2)
    assert "there is no script 'nothing.py'" in done.stderr
    assert done.stdout == ""
