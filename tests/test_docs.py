"""The code of the README and of the guides, block after block."""

import shutil
import signal
import warnings
import zipfile

import pytest

import drawstore
from doc_pages import PAGES, README, REPO, Reader, blocks, names_servers, programs
from pymc_runs import QUIET  # also makes PyMC compile fast

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ArviZ 1 warns of what McBackend imports from it
    import mcbackend  # noqa: F401

DATA = REPO / "tests" / "data"
DATABASE = "draws"  # on all pages

# The others are read with their programs, by test_consumer.
HERE = [page for page in PAGES if page == README or not programs(page)]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A directory with the files of other programs that pages read; all is undone afterwards."""
    fits = DATA / "stan"
    shutil.copytree(fits, tmp_path / "fits", ignore=lambda *_: {f.name for f in fits.glob("[!e]*")})
    with zipfile.ZipFile(DATA / "pymc" / "trace.zarr.zip") as file:
        file.extractall(tmp_path)
    shutil.copytree(REPO / "protobufs", tmp_path / "protobufs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "100")
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def addresses(request):
    """What stands for the addresses of the pages, and a server for queries."""
    server = request.getfixturevalue("clickhouse")
    nodes = request.getfixturevalue("clickhouse_cluster")
    for node in [server, *nodes]:
        node.query(f"DROP DATABASE IF EXISTS {DATABASE}")
    found = {f"node{i}:8123": f"127.0.0.1:{node.http}" for i, node in enumerate(nodes, 1)}
    return found | {"localhost:8123": f"127.0.0.1:{server.http}"}, server


@pytest.mark.filterwarnings(*QUIET)
@pytest.mark.parametrize("page", HERE, ids=lambda page: page.stem)
def test_every_block_runs(page, desk, request):
    if not names_servers(page):
        Reader(page).read()
        return
    found, server = request.getfixturevalue("addresses")
    Reader(page, found, lambda query: server.query(query, database=DATABASE)).read()


def test_queries_of_the_format_run(clickhouse, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    database = "docs_queries"
    clickhouse.query(f"DROP DATABASE IF EXISTS {database}")
    stats = {"tune": (bool, ()), "depth": (int, ()), "lp": (float, ()), "energy": (float, ())}
    url = f"clickhouse://127.0.0.1:{clickhouse.http}/{database}"
    with drawstore.ClickHouseBackend(url) as backend:
        run = backend.init_run(drawstore.make_meta({"slope": (float, ())}, stats, rid="mine"))
        with run.init_chain(0) as chain:
            chain.append({"slope": 1}, {"tune": True, "energy": 2})
            chain.append({"slope": 3}, {"tune": False})
    table = clickhouse.query("SELECT table FROM drawstore_runs", database=database).decode().strip()
    answers = []
    for block in blocks(REPO / "cpp" / "CLICKHOUSE.md"):
        assert block.language == "sql"
        for query in block.text.splitlines():
            query = query.replace("`run`", table).replace("draws_mine_0123456789ab", table)
            answers.append(clickhouse.query(query, database=database).decode().split())
    assert answers == [["2"], [table], ["0", "3", "3"]]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("```python\nassert 1 == 2\n```\n", AssertionError),
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", AssertionError),
        ("```console\n$ drawstore --version\nsomething else\n```\n", AssertionError),
        ("```console\n$ drawstore show nowhere\n```\n", AssertionError),
        ("```console\n$ rm chain.h5\n```\n", KeyError),
        ("```yaml\na: 1\n```\n", AssertionError),
        ("```python\npass\n", AssertionError),
        ("```python\n# fit.py\npass\n```\n", AssertionError),
        ("```sh\nls\n```\n", AssertionError),
    ],
)
def test_a_page_that_is_wrong_fails(text, error, desk):
    with pytest.raises(error):
        Reader(write(desk / "page.md", text)).read()


def test_what_a_page_says_is_compared(desk):
    page = write(
        desk / "page.md",
        "```python\n# fit.py\nimport sys\nprint('done', sys.argv)\n```\n\n"
        "```console\n$ python fit.py now  # a comment\ndone [...'now']\n"
        "$ drawstore show nowhere\ndrawstore: ...\n$ echo $?\n1\n```\n",
    )
    Reader(page).read()


def test_most_blocks_are_code_that_runs():
    languages = [block.language for page in PAGES for block in blocks(page)]
    assert languages.count("python") >= 20
