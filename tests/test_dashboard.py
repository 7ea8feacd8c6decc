"""The server of `drawstore serve`: what it answers, and to whom."""

import time

import numpy as np
import pytest

import drawstore
import drawstore.dashboard
import drawstore.emcee
from cli_runs import KINDS, fill, make, save
from dashboard_asking import answer, ask, until
from drawstore.convert import convert
from drawstore.dashboard.looks import key_of
from drawstore.dashboard.server import Server
from hdf_files import save as save_more


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with two stores."""
    path = tmp_path_factory.mktemp("runs")
    fill(drawstore.FileBackend(path / "files"))
    with drawstore.emcee.HDFBackend(path / "walk.h5") as backend:
        save(backend)
    return path


@pytest.fixture(scope="module")
def served(place):
    with Server(place, port=0) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(place):
    with Server(place, port=0, token="a token") as server:
        yield server


@pytest.fixture(scope="module")
def address(served, place):
    return f"/api/run/{key_of(str(place / 'files'), 'ours')}"


class TestRefusals:
    @pytest.mark.parametrize("path", ["/", "/api/runs", "/static/page.css", "/bokeh/bokeh.min.js"])
    def test_everything_wants_the_token(self, guarded, path):
        for given in (path, path + "?token=", path + "?token=a%20tokem", path + "?token=%ff"):
            status, headers, body = ask(guarded, given)
            assert status in (400, 401)
            assert "Set-Cookie" not in headers
            assert b"ours" not in body
        assert ask(guarded, path, cookie=f"drawstore-{guarded.port}=wrong")[0] == 401

    def test_a_token_becomes_a_cookie_and_leaves_the_address(self, guarded):
        status, headers, _ = ask(guarded, "/?token=a%20token&x=1")
        assert (status, headers["Location"]) == (303, "/?x=1")
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert ask(guarded, "/api/runs", cookie=cookie.partition(";")[0])[0] == 200
        assert ask(guarded, "/", cookie=cookie.partition(";")[0])[0] == 200
        assert guarded.url.endswith("/?token=a%20token")
        elsewhere = ask(guarded, "//evil.example/?token=a%20token")[1]["Location"]
        assert elsewhere == "/evil.example/"

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "127.0.0.1.evil.example", "10.0.0.7", "", "[", "localhost@evil.example"],
    )
    def test_another_name(self, served, host):
        for path in ("/", "/api/runs", "/static/page.css"):
            status, _, body = ask(served, path, host=host)
            assert status in (400, 421)
            assert b"ours" not in body

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8778", "LOCALHOST:1"])
    def test_its_own_names_behind_any_port(self, served, host):
        assert ask(served, "/api/runs", host=host)[0] == 200

    @pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1:1", "x"])
    def test_another_origin(self, served, origin):
        assert ask(served, "/api/runs", origin=origin)[0] == 403
        assert ask(served, "/", origin=origin)[0] == 403

    def test_its_own_origin(self, served):
        assert ask(served, "/api/runs", origin=f"http://127.0.0.1:{served.port}")[0] == 200

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_what_another_site_has_a_browser_ask_for(self, served, address, site):
        for path in ("/api/runs", address, "/static/page.css", address.removeprefix("/api")):
            assert ask(served, path, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")[0] == 403
        embedded = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}
        assert ask(served, "/", Sec_Fetch_Site=site, **embedded)[0] == 403
        opened = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
        assert ask(served, "/", Sec_Fetch_Site=site, **opened)[0] == 200

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
    def test_other_methods(self, served, method):
        assert ask(served, "/api/runs", method)[0] == 405

    @pytest.mark.parametrize("path", ["/", "/static/page.css", "/api/runs"])
    def test_only_the_head(self, served, path):
        status, _, body = ask(served, path, "HEAD")
        assert (status, body) == (200, b"")

    @pytest.mark.parametrize("begin", ["/static", "/bokeh", ""])
    @pytest.mark.parametrize(
        "path",
        [
            "/../server.py",
            "/%2e%2e/server.py",
            "/..%2fserver.py",
            "/..%5cserver.py",
            "/..\\server.py",
            "/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            "//etc/passwd",
            "/%00",
            "/",
        ],
    )
    def test_paths_outside(self, served, begin, path):
        if begin + path == "/":
            return
        status, _, body = ask(served, begin + path)
        assert 400 <= status < 500
        assert b"root:" not in body
        assert b"import" not in body

    def test_what_is_not_there(self, served, address):
        for path in (
            "/api/run/" + "0" * 24,
            "/run/ours",
            "/run/..%2f..%2fetc",
            "/api/run/../runs",
            f"{address}/figure/nothing",
            f"{address}/data/nothing",
            f"{address}/figure/__init__",
            "/favicon.ico",
        ):
            status, _, body = ask(served, path)
            assert status == 404, path
            assert str(served._app.name).encode() not in body

    @pytest.mark.parametrize(
        "query", ["parameter=x", "width=1e9", "start=%00", "parameter=" + "9" * 5000]
    )
    def test_questions_that_make_no_sense(self, served, address, query):
        assert ask(served, f"{address}/data/acceptance?{query}")[0] == 400
        assert ask(served, f"{address}/figure/acceptance?theme=pink")[0] == 400

    def test_parameters_that_are_not_there(self, served, address):
        query = "parameter=-1&parameter=77&start=-5&stop=-9&width=-3"
        for figure in answer(served, address)["figures"]:
            assert answer(served, f"{address}/data/{figure['name']}?{query}")["draws"] == 400

    def test_headers(self, served, address):
        for path in ("/", address, "/static/page.css", "/nothing", address.removeprefix("/api")):
            _, headers, _ = ask(served, path)
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self'" in policy
            assert "unsafe-eval" not in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert "no-" in headers["Cache-Control"]
            assert "Server" not in headers


class TestAnswers:
    def test_runs(self, served, place):
        given = answer(served, "/api/runs")
        assert given["where"] == str(place)
        assert {run["rid"] for run in given["runs"]} == {"ours", "mcmc"}
        (run,) = (run for run in given["runs"] if run["rid"] == "mcmc")
        assert (run["state"], run["draws"], run["walkers"]) == ("ended", 300, 8)

    def test_a_run_is_followed_when_it_is_asked_for(self, served, address):
        def known():
            given = answer(served, f"{address}?parameter=1&parameter=0")
            return given if given["worst"] else None

        given = until(known)
        status = drawstore.Monitor(drawstore.open(given["where"])).update()
        assert given["worst"]["tau"] == pytest.approx(np.nanmax(status.tau))
        assert given["worst"]["rhat"] == pytest.approx(np.nanmax(status.rhat))
        assert [row["index"] for row in given["parameters"]] == [1, 0]
        assert given["parameters"][0]["ess"] == pytest.approx(status.ess[1])
        assert [chain["left_out"] for chain in given["chains"]] == [40] * 3
        # One draw in fifty is called divergent, from the 50th on; a tenth is warm-up.
        assert "24 draws of 1,080 diverged." in [t["text"] for t in given["troubles"]]
        assert given["answer"]["word"] in ("not converged", "converged")

    def test_names_and_facts(self, served, address):
        names = answer(served, f"{address}/names")["names"]
        assert names == ["slope", "effect[0]", "effect[1]"]
        facts = answer(served, f"{address}/facts")
        assert facts["attributes"]["model"] == "line"
        assert [v["name"] for v in facts["variables"]] == ["slope", "effect", "label"]

    def test_table(self, served, address, place):
        found = answer(served, f"{address}/table?parameter=2&parameter=0&parameter=99")
        assert [row["index"] for row in found["rows"]] == [2, 0]
        chains = drawstore.open(place / "files").get_run("ours").get_chains()
        slope = np.concatenate([chain.get_draws("slope", slice(40, None)) for chain in chains])
        row = found["rows"][1]
        assert row["mean"] == pytest.approx(slope.mean())
        assert row["sd"] == pytest.approx(slope.std(ddof=1))
        assert row["quantiles"] == pytest.approx(np.quantile(slope, found["levels"]))
        assert found["n_read"] == found["n_draws"] == len(slope)

    @pytest.mark.parametrize(
        "kind", [*KINDS, "arviz", "stan", "stan's pattern", "stan's directory"]
    )
    def test_every_kind_of_store(self, kind, tmp_path, request):
        if kind in OTHERS:
            where = OTHERS[kind](tmp_path)
        else:
            clickhouse = request.getfixturevalue("clickhouse") if kind == "clickhouse" else None
            where = make(kind, tmp_path / "store", clickhouse)
        with Server(where, port=0) as server:
            (run,) = answer(server, "/api/runs")["runs"]
            given = answer(server, f"/api/run/{run['key']}")
            assert given["draws"] > 0
            assert given["error"] == ""
            assert answer(server, f"/api/run/{run['key']}/table?parameter=0")["rows"][0]["mean"]
            assert answer(server, f"/api/run/{run['key']}/facts")["variables"]
            for figure in given["figures"]:
                of = f"/api/run/{run['key']}"
                assert "root_id" in answer(server, f"{of}/figure/{figure['name']}")["item"]
                assert answer(server, f"{of}/data/{figure['name']}")["sources"]

    def test_nothing_is_there_yet(self, tmp_path):
        with Server(tmp_path / "later", port=0) as server:
            given = answer(server, "/api/runs")
            assert given["is_waiting"]
            backend = drawstore.FileBackend(tmp_path / "later")
            fill(backend)
            (run,) = until(lambda: answer(server, "/api/runs")["runs"])
            backend.delete_run("ours")
            until(lambda: answer(server, f"/api/run/{run['key']}")["error"])
            until(lambda: not answer(server, "/api/runs")["runs"])

    def test_a_run_that_cannot_be_read_stands_beside_others(self, tmp_path):
        backend = drawstore.FileBackend(tmp_path)
        fill(backend)
        meta = drawstore.make_meta({"x": (float, ())}, rid="broken")
        backend.init_run(meta).init_chain(0).close()
        (file,) = (tmp_path / "broken").glob("*.draws")
        file.write_bytes(b"nonsense")
        with Server(tmp_path, port=0) as server:
            runs = answer(server, "/api/runs")["runs"]
            assert [(run["rid"], run["state"]) for run in runs] == [
                ("broken", "damaged"),
                ("ours", "ended"),
            ]
            assert runs[0]["is_troubled"]
            broken = answer(server, f"/api/run/{runs[0]['key']}")
            assert broken["figures"] == []
            assert broken["answer"]["word"] == "unreadable"
            assert answer(server, f"/api/run/{runs[1]['key']}")["error"] == ""

    def test_a_run_that_begins_anew_under_its_name(self, tmp_path):
        backend = drawstore.FileBackend(tmp_path)
        fill(backend)
        with Server(tmp_path, port=0) as server:
            key = key_of(str(tmp_path), "ours")
            first = answer(server, f"/api/run/{key}")["signature"]
            assert answer(server, f"/api/run/{key}")["signature"] == first
            backend.delete_run("ours")
            fill(backend, chains=1, n=20)
            until(lambda: answer(server, f"/api/run/{key}")["draws"] == 20)
            assert answer(server, f"/api/run/{key}")["signature"] != first

    def test_a_run_of_emcee_is_the_same_while_its_file_is_written(self, tmp_path):
        path = tmp_path / "chain.h5"
        backend = drawstore.emcee.HDFBackend(path)
        save_more(backend, 5, (8, 2))
        backend.flush()
        with Server(path, port=0) as server:
            address = f"/api/run/{key_of(str(path), 'mcmc')}"

            def signature(n, seed):
                save_more(backend, n, (8, 2), seed)
                backend.flush()
                time.sleep(0.6)  # a view is not looked at again sooner
                return answer(server, address)["signature"]

            first = signature(20, 3)
            assert first
            assert signature(20, 4) == first
            backend.reset(8, 2)
            assert signature(60, 5) != first
        backend.close()

    def test_thousands_of_parameters(self, tmp_path):
        backend = drawstore.FileBackend(tmp_path)
        run = backend.init_run(drawstore.make_meta({"x": (float, (5000,))}, rid="wide"))
        with run.init_chain(0) as chain:
            chain.extend({"x": np.random.default_rng(1).normal(size=(100, 5000))})
        with Server(tmp_path, port=0) as server:
            path = f"/api/run/{key_of(str(tmp_path), 'wide')}"
            assert answer(server, path)["n_parameters"] == 5000
            assert len(ask(server, path)[2]) < 10_000
            assert len(answer(server, f"{path}/names")["names"]) == 5000
            (run,) = until(lambda: [r for r in answer(server, "/api/runs")["runs"] if r["worst"]])
            assert run["troubles"] == []
            assert len(run["curve"][0]) == 100


def _arviz(path):
    fill(drawstore.FileBackend(path / "source"))
    convert(path / "source", path / "run.nc")
    return path / "run.nc"


def _stan(path):
    lines = ["lp__,accept_stat__,mu", *(f"{-i},0.9,{i % 7}.5" for i in range(40))]
    (path / "fit_1.csv").write_text("# model = line\n" + "\n".join(lines) + "\n")
    return path / "fit_1.csv"


OTHERS = {
    "arviz": _arviz,
    "stan": _stan,
    "stan's pattern": lambda path: _stan(path).with_name("fit_*.csv"),
    "stan's directory": lambda path: _stan(path).parent,
}
