"""What a server refuses, what is secret, and names that are more than names."""

import gc
import logging
import os
import pickle
import resource
import time
import traceback
import warnings

import pytest
import rows
from databases import Database
from rows import Rows

from clickhouse_server import servers
from drawstore import ClickHouseBackend, make_meta

LAYOUT = Rows(3, True)
SECRET = "s3cr:et/@?#[%&\\'"
ENCODED = "s3cr%3Aet%2F%40%3F%23%5B%25%26%5C%27"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers(tmp_path_factory.mktemp("servers")) as (one,):
        yield one


@pytest.fixture
def database(server, tmp_path):
    made = Database([server], f"d{os.urandom(6).hex()}", tmp_path)
    made.create(LAYOUT)
    return made


def test_a_wrong_password_is_told_nowhere(database, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    url = database.url(login=f"default:{ENCODED}@")
    seen = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        backend = ClickHouseBackend(url, journal=database.journals)
        for ask in (
            backend.get_runs,
            lambda: backend.get_run("run"),
            lambda: backend.init_run(make_meta({"x": ("float64", ())}, rid="other")),
        ):
            with pytest.raises(OSError, match="password") as error:
                ask()
            seen.append("".join(traceback.format_exception(error.value)))
            seen += [repr(error.value), str(error.value)]
        server = backend.runs.tables.server
        for thing in (backend, backend.runs, backend.spool, server, server.address, server.place):
            seen += [repr(thing), str(thing)]
    seen += [str(warning.message) for warning in caught]
    seen += [record.getMessage() for record in caplog.records]
    seen += [*capfd.readouterr()]
    for text in seen:
        assert "s3cr" not in text


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://user:s3cr/et@host:8123/db",
        "clickhouse://user:s3cr#et@host:8123/db",
        "clickhouse://user:s3cr?et@host:8123/db",
        "clickhouse://user:s3cr[et@host:8123/db",
        "clickhouse://user:s3cr\uff20et@host:8123/db",  # what browsers take for an "@"
        "clickhouse://user:s3cret@host:81234/db",
        "clickhouse://user:s3cret@host:0/db",
        "clickhouse://user:s3cret@host:port/db",
        "clickhouse://user:s3cret@/db",
        "clickhouse://user:s3cret@host/db?what=this",
        "clickhouse://user:s3cret@host/db/more",
    ],
)
def test_an_address_that_is_none_shows_no_password(url):
    with pytest.raises(ValueError, match="percent-encoded") as caught:
        ClickHouseBackend(url)
    assert "s3cr" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_password_goes_with_a_pickle_only(database):
    url = database.url(login=f"default:{ENCODED}@")
    backend = pickle.loads(pickle.dumps(ClickHouseBackend(url, mode="r")))
    assert backend.runs.tables.server.address.password == SECRET
    assert "s3cr" not in repr(vars(backend.runs.tables.server.address).get("place", ""))


def test_a_database_that_is_not_there_has_no_runs_and_is_made(server, tmp_path):
    database = Database([server], "it is `new`; DROP DATABASE default -- '\\", tmp_path)
    database.url = lambda *_: (
        f"clickhouse://127.0.0.1:{server.http}/"
        "it%20is%20%60new%60%3B%20DROP%20DATABASE%20default%20--%20%27%5C"
    )
    assert database.backend("r").get_runs() == []
    with pytest.raises(KeyError, match="none"):
        database.backend("r").get_run("run")
    database.create(LAYOUT)
    chain = database.backend().get_run(rows.RID).init_chain(0)
    LAYOUT.append(chain, 0)
    chain.close()
    assert LAYOUT.check(database.backend("r").get_run(rows.RID).get_chains()[0]) == 1


def test_a_table_that_was_dropped_is_trouble_of_its_run_alone(database, caplog):
    backend = database.backend()
    other = backend.init_run(make_meta({"x": ("int64", ())}, rid="other"))
    dropped = backend.get_run(rows.RID)
    lost, kept = dropped.init_chain(0), other.init_chain(0)
    LAYOUT.append(lost, 0)
    lost.flush()
    database.query(f"DROP TABLE `{dropped.table}`")
    LAYOUT.append(lost, 1)
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"1 draws are not in .* doesn't exist"):
        lost.close(20)
    assert time.monotonic() - begun < 10
    for i in range(20):
        kept.append({"x": i})
        time.sleep(0.01)
    kept.flush()
    end = time.monotonic() + 5
    kept.append({"x": 20})
    while database.query(f"SELECT count() FROM `{other.table}`") != "21":  # without a flush
        assert time.monotonic() < end
        time.sleep(0.05)
    kept.close()
    assert len(database.kept()) == 1
    assert sum("doesn't exist" in record.message for record in caplog.records) <= 2
    # Who puts the table back has the rest.
    columns = ", ".join(f"`{name}` {kind}" for name, kind in lost._draws.layout.columns)
    engine = "ENGINE = ReplacingMergeTree ORDER BY (chain, draw)"
    database.query(f"CREATE TABLE `{dropped.table}` ({columns}) {engine}")
    with pytest.raises(RuntimeError, match="draws before draw 1 are not on the server any more"):
        lost.close(5)
    forget(lost)


def forget(chain):
    """Have nothing to deliver at the end of the process."""
    chain._pending.delivered = len(chain._pending)
    chain._pending._attempted = chain._pending.delivered
    chain.close()


NASTY = [
    "`; DROP TABLE drawstore_runs; --",
    "'); DROP DATABASE default; --",
    '"',
    "\\",
    "\\'",
    "a\nb\r\tc",
    "\x00 and more",
    "naïve 模型 🎲 \u202e",
    "{x:String} %s %(a)s $1",
    "../../etc",
    "a b/c.d,e;f",
    " ",
]


@pytest.mark.parametrize("name", NASTY)
def test_names_and_texts_are_no_sql(database, name):
    meta = make_meta({name: ("str", ()), "n": ("int64", ())}, {name + "2": ("str", ())}, rid=name)
    run = database.backend().init_run(meta)
    chain = run.init_chain(0)
    for i in range(20):
        chain.append({name: f"{name}{i}", "n": i}, {name + "2": name * i})
    chain.flush()
    again = database.backend("r").get_run(name)
    (read,) = again.get_chains()
    assert read.get_draws(name, slice(None)).tolist() == [f"{name}{i}" for i in range(20)]
    assert read.get_stats(name + "2", slice(None)).tolist() == [name * i for i in range(20)]
    chain.close()
    runs, record = database.backend().runs, again._record
    runs.save_group(record, name, b"data")
    assert runs.groups(record) == {name: b"data"}
    assert {info.rid for info in database.backend("r").get_runs()} == {name, rows.RID}
    with pytest.raises(KeyError):
        database.backend("r").get_run(name + "'")
    database.backend().delete_run(name)
    assert [info.rid for info in database.backend("r").get_runs()] == [rows.RID]


def test_a_process_with_more_files_than_select_takes(database):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip("no process may have so many files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        chain = database.backend().get_run(rows.RID).init_chain(0)
        for i in range(20):
            LAYOUT.append(chain, i)
        chain.close(10)
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    database.check(LAYOUT, 20)


def test_no_connection_is_left_to_the_collector(database):
    backend = database.backend()
    backend.get_runs()
    del backend
    gc.collect()  # a warning of an open socket would be an error


@pytest.mark.parametrize("layout", [Rows(3, True), Rows(3, False)], ids=str)
def test_a_chain_without_draws_reads_as_none(server, tmp_path, layout):
    database = Database([server], f"d{os.urandom(6).hex()}", tmp_path)
    database.create(layout)
    chain = database.backend().get_run(rows.RID).init_chain(0)
    assert layout.check(chain) == 0
    chain.close()
    database.check(layout, 0)
