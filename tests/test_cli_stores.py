"""The commands that look at runs, on every kind of store: intact, empty, damaged, foreign."""

import shutil

import h5py
import numpy as np
import pytest

import drawstore
from cli_runs import KINDS, META, STEPS, WALKERS, N, blocks, fill, make, reported, said, save
from drawstore.emcee import HDFBackend
from stan_data import EIGHT

CHAINS = {"directory", "hdf5", "clickhouse"}


@pytest.fixture(scope="module", params=KINDS)
def store(request, tmp_path_factory):
    """A kind of store, and where one of it is, which the tests only read."""
    server = request.getfixturevalue("clickhouse") if request.param == "clickhouse" else None
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        yield request.param, make(request.param, folder / "store", server)


def test_ls(capsys, store):
    kind, where = store
    (run,) = reported(capsys, "ls", where)["runs"]
    assert run["where"] == where
    if kind in CHAINS:
        assert (run["rid"], run["draws"]) == ("ours", dict.fromkeys("012", N))
        assert (run["layout"], run["walkers"]) == ("chains", None)
    else:
        assert (run["layout"], run["walkers"], run["draws"]) == ("ensemble", WALKERS, {"0": STEPS})
    assert run["state"] == ("unknown" if kind in ("emcee's own", "clickhouse") else "ended")
    assert (run["made_at"] is None) == kind.startswith("emcee")
    code, out, _ = said(capsys, "ls", where)
    assert code == 0
    assert run["rid"] in out.splitlines()[1]


def test_show(capsys, store):
    kind, where = store
    report = reported(capsys, "show", where)
    (run,) = report["runs"]
    assert (report["where"], report["beside"], report["writer"]) == (where, [], None)
    if kind in CHAINS:
        assert [(c["number"], c["draws"], c["warmup"]) for c in run["chains"]] == [
            (number, N, N // 10) for number in range(3)
        ]
        assert run["variables"][1] == {
            "name": "effect",
            "dtype": "float32",
            "shape": [2],
            "dims": ["city"],
        }
        assert [stat["name"] for stat in run["sample_stats"]] == ["tune", "diverging", "lp"]
        assert (run["coords"], run["attributes"]) == ({"city": 2}, {"model": "line"})
        assert [(data["name"], data["is_observed"]) for data in run["data"]] == [("y", True)]
    else:
        assert run["attributes"]["inference_library"] == "emcee"
    code, out, _ = said(capsys, "show", where, run["rid"])
    assert code == 0
    assert f"run {run['rid']!r}" in out


def test_summary(capsys, store):
    kind, where = store
    report = reported(capsys, "summary", where, "--quantiles", "0.1,0.9")
    run = drawstore.open(where).get_run(report["rid"])
    expected = run.summary((0.1, 0.9))
    assert report["chains"] == {str(number): n for number, n in expected.chains.items()}
    assert report["levels"] == [0.1, 0.9]
    by_name = {parameter["name"]: parameter for parameter in report["parameters"]}
    for name, variable in expected.variables.items():
        for index in np.ndindex(variable.mean.shape):
            found = by_name.pop(f"{name}[{','.join(map(str, index))}]" if index else name)
            np.testing.assert_allclose(found["mean"], variable.mean[index], rtol=1e-12)
            np.testing.assert_allclose(found["sd"], variable.sd[index], rtol=1e-12)
            assert found["quantiles"] == variable.quantiles[(slice(None), *index)].tolist()
            assert (found["rhat"] is None) == (kind not in CHAINS)
            n = sum(expected.chains.values())
            np.testing.assert_allclose(found["ess"], n / found["tau"])
    assert not by_name
    code, out, _ = said(capsys, "summary", where)
    assert code == 0
    assert ("rhat" in out) == (kind in CHAINS)


def test_check(capsys, store):
    kind, where = store
    report = reported(capsys, "check", where)
    assert report["damages"] == []
    if "emcee" in kind:
        assert [found["draws"] for found in report["intact"]] == [STEPS] * WALKERS
    else:
        expected = [N] * 3 if kind in CHAINS else [STEPS]
        assert [found["draws"] for found in report["intact"]] == expected


def test_recover(capsys, store):
    _, where = store
    report = reported(capsys, "recover", where, "--dry-run")
    assert (report["said"], report["damages"], report["copied_to"]) == ([], [], None)
    assert report["intact"] == reported(capsys, "check", where)["intact"]


def test_why(capsys, store):
    kind, where = store
    report = reported(capsys, "why", where)
    if kind in CHAINS:
        assert report["divergences"] == {"n": 8 * 3, "of": N * 3 * 9 // 10}
        assert report["ensemble"] is None
    else:
        assert report["ensemble"]["stuck"] == []
        assert 0.4 < np.median(report["ensemble"]["acceptance"]) < 0.6
        assert report["findings"] == []
    assert report["not_finite"] == 0
    ends = "nobody can tell" if kind in ("emcee's own", "clickhouse") else "ended: "
    assert report["verdict"].startswith(ends)
    code, out, _ = said(capsys, "why", where)
    assert code == 0
    assert report["verdict"] in out


def test_diff_with_itself(capsys, store):
    _, where = store
    report = reported(capsys, "diff", where, where)
    assert (report["differs"], report["settings"]) == (False, [])
    assert {item["p"] for item in report["compared"]} == {1.0}
    code, out, _ = said(capsys, "diff", where, where)
    assert code == 0
    assert "no difference beyond the Monte Carlo error" in out


@pytest.mark.parametrize("command", ["ls", "show", "summary", "check", "why", "diff"])
def test_runs_without_a_draw(capsys, tmp_path, command):
    drawstore.FileBackend(tmp_path / "runs").init_run(META)
    with drawstore.HDF5Backend(tmp_path / "runs.h5") as backend:
        backend.init_run(META).init_chain(0).close()
    backend = HDFBackend(tmp_path / "walk.h5")
    backend.reset(8, 2)
    backend.close()
    for name in ("runs", "runs.h5", "walk.h5"):
        where = [str(tmp_path / name)] * (2 if command == "diff" else 1)
        reported(capsys, command, *where)
        assert said(capsys, command, *where)[0] == 0


@pytest.mark.parametrize("command", ["show", "summary", "check", "why", "diff", "ls"])
def test_what_is_no_store_is_an_error_in_one_line(capsys, tmp_path, command):
    (tmp_path / "notes.txt").write_text("hello")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    (tmp_path / "empty.h5").touch()
    (tmp_path / "torn.h5").write_bytes((tmp_path / "other.h5").read_bytes()[:100])
    for name in ("notes.txt", "other.h5", "empty.h5", "torn.h5", "none"):
        where = [tmp_path / name] * (2 if command == "diff" else 1)
        code, out, err = said(capsys, command, *where)
        assert (code, out) == (1, "")
        assert err.startswith("drawstore: ")
        assert len(err.splitlines()) == 1
        assert name in err


@pytest.mark.parametrize("command", ["show", "summary", "check", "why"])
def test_a_run_that_is_not_there(capsys, tmp_path, command):
    where = make("directory", tmp_path / "runs")
    code, _, err = said(capsys, command, where, "other")
    assert code == 1
    assert err == f"drawstore: there is no run 'other' in {where!r}; there are: 'ours'\n"


def test_several_kinds_in_one_file(capsys, tmp_path):
    where = make("hdf5", tmp_path / "runs.h5")
    save(HDFBackend(where, name="walk")).close()
    listed = reported(capsys, "ls", where)["runs"]
    assert {(run["rid"], run["kind"]) for run in listed} == {("ours", "hdf5"), ("walk", "emcee")}
    assert len(reported(capsys, "show", where)["runs"]) == 2
    assert reported(capsys, "summary", where, "walk")["layout"] == "ensemble"
    assert reported(capsys, "check", where)["damages"] == []
    code, _, err = said(capsys, "summary", where)
    assert code == 1
    assert "there are several runs" in err


def test_ls_finds_the_stores_in_a_directory(capsys, tmp_path, monkeypatch):
    make("directory", tmp_path / "runs")
    make("emcee", tmp_path / "walk.h5")
    (tmp_path / "deeper").mkdir()
    make("hdf5", tmp_path / "deeper" / "runs.h5")
    (tmp_path / "deeper" / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.h5").write_bytes((tmp_path / "walk.h5").read_bytes()[:3000])
    monkeypatch.chdir(tmp_path)
    found = [(run["where"], run["rid"]) for run in reported(capsys, "ls")["runs"]]
    assert found == [("./broken.h5", ""), ("./runs", "ours"), ("./walk.h5", "mcmc")]
    found = [run["where"] for run in reported(capsys, "ls", "--recursive")["runs"]]
    assert found == ["./broken.h5", "./deeper/runs.h5", "./runs", "./walk.h5"]
    found = [run["where"] for run in reported(capsys, "ls", "runs", "walk.h5")["runs"]]
    assert found == ["runs", "walk.h5"]
    assert "damaged: " in said(capsys, "ls")[1]


def test_ls_finds_files_of_stan_among_others(capsys, tmp_path, monkeypatch):
    make("hdf5", tmp_path / "runs.h5")
    (tmp_path / "fit").mkdir()
    for folder in (tmp_path, tmp_path / "fit"):
        for file in EIGHT:
            shutil.copy(file, folder)
        (folder / "table.csv").write_text("lp,x\n# stan_version_major\n1,2\n")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "table.csv").write_text("x\n1\n")
    (tmp_path / "others" / "empty.csv").touch()
    (tmp_path / "others" / "folder.csv").mkdir()
    monkeypatch.chdir(tmp_path)

    def found(*arguments):
        return [(run["where"], run["rid"]) for run in reported(capsys, "ls", *arguments)["runs"]]

    there = [(".", "eight"), ("./fit", "eight"), ("./runs.h5", "ours")]
    assert found() == there
    assert found("--recursive") == there
    (run,) = reported(capsys, "show", ".")["runs"]
    assert [chain["number"] for chain in run["chains"]] == [1, 2]
    # Beside runs of drawstore the directory stands for these, and a pattern for those.
    fill(drawstore.FileBackend(tmp_path), n=5)
    assert found() == [(".", "ours"), ("./*.csv", "eight"), *there[1:]]
    (run,) = reported(capsys, "show", "./*.csv")["runs"]
    assert run["rid"] == "eight"
    watched = reported(capsys, "watch", ".", "--once")["runs"]
    assert [(run["where"], run["rid"]) for run in watched if run["rid"] == "eight"] == [
        ("./*.csv", "eight"),
        ("./fit", "eight"),
    ]


def test_damage_is_named_by_who_reads_draws_and_not_by_others(capsys, tmp_path):
    fill(drawstore.FileBackend(tmp_path / "runs"), n=20_000)
    file = tmp_path / "runs" / "ours" / "chain-1.draws"
    data = bytearray(file.read_bytes())
    at = data.rindex(blocks(1, 20_000)[0]["slope"][15_000].tobytes())
    data[at] ^= 1
    file.write_bytes(data)
    (run,) = reported(capsys, "ls", tmp_path / "runs")["runs"]
    assert (run["state"], run["draws"]["1"]) == ("ended", 20_000)
    (damage,) = reported(capsys, "check", tmp_path / "runs", code=1)["damages"]
    assert (damage["rid"], damage["chain"], damage["name"]) == ("ours", 1, "slope")
    assert damage["start"] <= 15_000 < damage["stop"]
    code, out, _ = said(capsys, "check", tmp_path / "runs")
    assert code == 1
    assert "damaged: run 'ours', chain 1, 'slope', draws " in out


def test_what_is_wrong_with_a_file_of_emcee_is_named(capsys, tmp_path):
    where = make("emcee's own", tmp_path / "walk.h5")
    with h5py.File(where, "a") as file:
        file["mcmc"]["log_prob"][20, 3] = np.nan
        file["mcmc"]["chain"].resize(STEPS - 10, axis=0)
    log_prob, chain = sorted(
        reported(capsys, "check", where, code=1)["damages"], key=lambda damage: damage["start"]
    )
    assert (log_prob["name"], log_prob["start"], log_prob["stop"]) == ("log_prob", 20, 21)
    assert (chain["name"], chain["start"], chain["stop"]) == ("chain", STEPS - 10, STEPS)
    assert "rows are there" in chain["what"]


def test_a_chunk_that_fails_its_checksum_is_named(capsys, tmp_path):
    where = make("emcee", tmp_path / "walk.h5")
    with h5py.File(where) as file:
        chunk = file["mcmc"]["chain"].id.get_chunk_info(0)
    data = bytearray((tmp_path / "walk.h5").read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 1
    (tmp_path / "walk.h5").write_bytes(data)
    (damage,) = reported(capsys, "check", where, code=1)["damages"]
    assert (damage["name"], damage["chain"]) == ("chain", None)
    assert damage["start"] == 0


def test_a_run_that_cannot_be_read_is_damaged_and_the_others_are_told(capsys, tmp_path):
    for rid in ("first", "second"):
        fill(drawstore.FileBackend(tmp_path), drawstore.make_meta({"x": (float, ())}, rid=rid), 0)
    file = tmp_path / "first" / "run.meta"
    file.write_bytes(file.read_bytes()[:-3])
    first, second = reported(capsys, "show", tmp_path)["runs"]
    assert (first["rid"], first["state"], second["state"]) == ("first", "damaged", "ended")
    assert first["error"]
    first, second = reported(capsys, "ls", tmp_path)["runs"]
    assert (first["state"], second["state"]) == ("damaged", "ended")
    report = reported(capsys, "check", tmp_path, code=1)
    assert [damage["rid"] for damage in report["damages"]] == ["first"]
    assert "run 'first': cannot be read" in said(capsys, "show", tmp_path)[1]
    assert said(capsys, "why", tmp_path, "first")[0] == 1
