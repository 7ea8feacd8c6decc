"""The server of the dashboard: how it begins and ends, and what it puts on the wire."""

import base64
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

import drawstore
import drawstore.dashboard
import drawstore.emcee
from cli_runs import fill
from dashboard_asking import answer, ask, until
from drawstore.cli import main
from drawstore.dashboard.server import Server
from drawstore.dashboard.wire import encoded, json_bytes

STATIC = Path(drawstore.dashboard.__file__).parent / "static"


class TestServer:
    def test_the_password_of_a_database_is_not_shown(self):
        with Server("clickhouse://me:secret@127.0.0.1:1/db", port=0) as server:
            given = answer(server, "/api/runs")
        assert given["trouble"]
        assert "secret" not in json.dumps(given)
        with pytest.raises(ValueError, match="not the address") as caught:
            Server("clickhouse://me:sec/ret@127.0.0.1:1/db", port=0)
        assert "ret" not in str(caught.value).partition("is not")[0]

    def test_an_address_for_others_wants_a_token(self, tmp_path):
        with Server(tmp_path, port=0, address="0.0.0.0") as server:
            assert len(server.token) >= 32
            assert urlsplit(server.url).query == f"token={server.token}"
            assert ask(server, "/api/runs")[0] == 401
            assert ask(server, f"/?token={server.token}", host="evil.example")[0] == 421
            assert ask(server, f"/?token={server.token}", host=socket.gethostname())[0] == 303

    def test_a_port_that_is_taken(self, tmp_path):
        with Server(tmp_path, port=0) as server, pytest.raises(OSError, match="cannot listen"):
            Server(tmp_path, port=server.port)

    def test_slow_clients_hold_up_nobody(self, tmp_path):
        fill(drawstore.FileBackend(tmp_path))
        with Server(tmp_path, port=0) as server:
            idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
            try:
                for connection in idle:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost")
                assert answer(server, "/api/runs")["runs"]
            finally:
                for connection in idle:
                    connection.close()

    def test_nobody_is_followed_when_nobody_asks(self, tmp_path, monkeypatch):
        from drawstore.dashboard import follower
        from drawstore.dashboard.threads import Crew

        monkeypatch.setattr(follower, "_ASKED", 0.0)
        monkeypatch.setattr(follower, "_INTERVAL", 0.01)
        run = fill(drawstore.FileBackend(tmp_path))
        followed = follower.Follower(lambda: run, Crew())
        followed.ask()
        status = until(lambda: followed.known.status)
        until(lambda: followed._thread is None)
        assert followed.known.status is status
        followed.ask()
        until(lambda: followed.known.status is not status)

    def test_the_command(self, tmp_path):
        fill(drawstore.FileBackend(tmp_path / "files"))
        fill(drawstore.FileBackend(tmp_path / "others"))
        process = subprocess.Popen(
            [sys.executable, "-m", "drawstore", "serve", str(tmp_path), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            line = process.stdout.readline()
            port = int(re.match(r"http://127\.0\.0\.1:(\d+)/ ", line)[1])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/api/runs")
            assert len(json.load(connection.getresponse())["runs"]) == 2
            connection.close()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
            process.communicate()

    def test_the_extra_is_not_installed(self, monkeypatch, capsys, tmp_path):
        monkeypatch.setitem(sys.modules, "bokeh", None)
        assert main(["serve", str(tmp_path)]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert "pip install 'drawstore[dashboard]'" in err


class TestWire:
    @pytest.mark.parametrize(
        "dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64"]
    )
    def test_arrays(self, dtype):
        values = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)[:, ::-1]
        given = json.loads(json_bytes(encoded({"x": values})))["x"]
        back = np.frombuffer(base64.b64decode(given["base64"]), given["dtype"])
        np.testing.assert_array_equal(back.reshape(given["shape"]), values.astype(given["dtype"]))

    def test_lists(self):
        given = json.loads(json_bytes(encoded({"x": ["a\ud800", None], "y": [[1.0, np.nan], []]})))
        assert given["x"] == ["a\ud800", None]
        assert given["y"][0]["dtype"] == "float64"
        assert given["y"][1] == []


def test_scripts_never_take_text_for_html():
    """What puts text into a page as HTML, or runs it, is nowhere."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|eval\(|Function\("
    )
    scripts = sorted(STATIC.glob("*.js"))
    assert len(scripts) > 5
    for script in scripts:
        assert not forbidden.search(script.read_text()), script
    for template in (STATIC.parent / "templates").glob("*.html"):
        assert "|safe" not in template.read_text()
        assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=", template.read_text())
