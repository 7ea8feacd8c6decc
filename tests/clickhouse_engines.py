"""The two engines of ClickHouse that blocks are tried on: a server of 2018, and chDB."""

import contextlib
import pickle
import subprocess
import sys

import clickhouse_server


def quoted(name):
    """Quote a name for SQL."""
    for char, escaped in (("\\", "\\\\"), ("`", "\\`"), ("\0", "\\0")):
        name = name.replace(char, escaped)
    return f"`{name}`"


def select(columns, source, rest=""):
    names = ", ".join(quoted(name) for name, _ in columns)
    return f"SELECT {names} FROM {source} {rest} FORMAT Native"


def create(engine, name, columns):
    """Make a table anew, as a run's would be made."""
    engine.query(f"DROP TABLE IF EXISTS {quoted(name)}")
    typed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
    order = "ENGINE = ReplacingMergeTree ORDER BY (chain, draw)"
    engine.query(f"CREATE TABLE {quoted(name)} ({typed}) {order}")


class ServerEngine:
    """A server, over HTTP."""

    def __init__(self, server):
        self.server = server
        self.query = server.query

    def insert(self, name, block):
        self.server.query(f"INSERT INTO {quoted(name)} FORMAT Native", block)


class ChdbEngine:
    """chDB in a process of its own: its threads are none of ours when other tests fork."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def _ask(self, *request):
        pickle.dump(request, self.process.stdin)
        self.process.stdin.flush()
        answer = pickle.load(self.process.stdout)
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer

    def query(self, query):
        return self._ask("query", query)

    def insert(self, name, block):
        self._ask("insert", name, bytes(block))

    def close(self):
        self.process.communicate(timeout=30)


@contextlib.contextmanager
def engine(which, folder):
    """Run "server" or "chdb"."""
    if which == "server":
        with clickhouse_server.servers(folder) as (server,):
            yield ServerEngine(server)
        return
    with contextlib.closing(ChdbEngine()) as chdb:
        yield chdb


def serve(requests, answers):
    """Do what a ChdbEngine asks for."""
    import chdb

    connection = chdb.connect(":memory:")
    while True:
        try:
            what, *arguments = pickle.load(requests)
        except EOFError:
            return
        answer = b""
        try:
            if what == "query":
                answer = connection.query(*arguments, "Native").bytes() or b""
            else:
                name, block = arguments
                with connection.send_insert(f"INSERT INTO {quoted(name)}", "Native") as inserter:
                    inserter.append(block)
                    inserter.finish()
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
