"""The docstrings of what is public: that they say all, and that their examples are true."""

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import drawstore
from pymc_runs import QUIET

PUBLIC = [
    "drawstore",
    "drawstore.autocorr",
    "drawstore.convert",
    "drawstore.dashboard",
    "drawstore.emcee",
    "drawstore.meta",
    "drawstore.monitor",
    "drawstore.pymc",
    "drawstore.recovery",
    "drawstore.repacking",
    "drawstore.rescue",
    "drawstore.running",
    "drawstore.snapshots",
    "drawstore.testing",
]
WITH_EXAMPLES = [
    "drawstore.Chain",
    "drawstore.ClickHouseBackend",
    "drawstore.FileBackend",
    "drawstore.HDF5Backend",
    "drawstore.MemoryBackend",
    "drawstore.Monitor",
    "drawstore.Run.summary",
    "drawstore.Run.to_datatree",
    "drawstore.autocorr.integrated_time",
    "drawstore.convert.convert",
    "drawstore.emcee.HDFBackend",
    "drawstore.emcee.run",
    "drawstore.make_meta",
    "drawstore.open",
    "drawstore.pymc.TraceBackend",
    "drawstore.rescue.rescue",
    "drawstore.snapshots.snapshot",
]

_SECTION = r"^{}\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)"


# chDB starts threads, which stay, and forks of other tests are not to have them.
ALONE = "drawstore.backends.clickhouse"


def modules_with_examples():
    found = []
    for info in pkgutil.walk_packages(drawstore.__path__, "drawstore."):
        path = Path(info.module_finder.find_spec(info.name).origin)
        if path.suffix == ".py" and ">>>" in path.read_text(encoding="utf-8"):
            found.append(info.name)
    return found


@pytest.mark.filterwarnings(*QUIET)
@pytest.mark.parametrize("name", [name for name in modules_with_examples() if name != ALONE])
def test_examples_are_true(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for i, test in enumerate(finder.find(module)):
        (tmp_path / str(i)).mkdir()
        monkeypatch.chdir(tmp_path / str(i))
        runner.run(test)
    done = runner.summarize(verbose=False)
    assert done.failed == 0
    assert done.attempted > 0


def test_examples_of_a_database_are_true(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    program = f"import doctest, {ALONE} as module; print(doctest.testmod(module))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert re.fullmatch(r"TestResults\(failed=0, attempted=[1-9]\d*(, .*)?\)\n", done.stdout), done


def section(doc, title):
    found = re.search(_SECTION.format(title), doc, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def described(doc):
    """Give the names that the sections of parameters and of attributes describe."""
    lines = (section(doc, "Parameters") + section(doc, "Attributes")).splitlines()
    names = [line.split(" : ")[0].split(",") for line in lines if line and line[0] != " "]
    return {name.strip().lstrip("*") for group in names for name in group}


def problems(thing, doc):
    """Give what the docstring of a function or a class does not say."""
    if not doc:
        return ["no docstring"]
    if re.search(r"[Ss]ee `[\w.]+`\.$", doc.splitlines()[0]):
        return []  # said by the interface
    called = thing.__init__ if inspect.isclass(thing) else thing
    taken = [name for name in inspect.signature(called).parameters if name not in ("self", "cls")]
    taken = [name for name in taken if name not in ("args", "kwargs")]
    found = [f"parameter {name}" for name in taken if name not in described(doc)]
    given = getattr(thing, "__annotations__", {}).get("return", "None")
    is_said = section(doc, "Returns") or section(doc, "Yields")
    is_plain = not taken and "\n" not in doc  # one line says it, as of a property
    if inspect.isfunction(thing) and given not in (None, "None", "NoReturn", "Self"):
        found += [] if is_said or is_plain else ["what it gives"]
    return found


def public_things():
    """Give the name, the thing and the docstring of all that is public."""
    for module_name in PUBLIC:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            thing = getattr(module, name)
            ours = getattr(thing, "__module__", "").startswith("drawstore")
            if not ours or not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            yield f"{module_name}.{name}", thing, inspect.getdoc(thing)
            for member, value in vars(thing).items() if inspect.isclass(thing) else ():
                if member[0] != "_" and inspect.isfunction(value):
                    found = inspect.getdoc(getattr(thing, member))
                    yield f"{module_name}.{name}.{member}", value, found


def is_test(name):
    return re.search(r"\.test_\w+$", name)


def test_docstrings_say_all():
    found = {
        name: problems(thing, doc)
        for name, thing, doc in public_things()
        if not is_test(name) and problems(thing, doc)
    }
    assert found == {}


def test_what_is_used_most_has_examples():
    documented = {name: doc for name, _, doc in public_things()}
    assert [name for name in WITH_EXAMPLES if "Examples\n---" not in documented[name]] == []
