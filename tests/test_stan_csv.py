"""Files of Stan as cmdstan's documentation publishes them: versions, methods, ways to name them."""

import logging
import pickle

import arviz
import cmdstanpy
import numpy as np
import pytest

import drawstore
from drawstore import FileBackend, MemoryBackend
from drawstore.backends.stan_csv import StanCSV
from drawstore.reports.show import show
from drawstore.stan import source as source_module
from stan_data import DATA, EIGHT, run_of
from stan_files import write_chain

STATS = ["lp", "acceptance_rate", "step_size", "tree_depth", "n_steps", "diverging", "energy"]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(logging.getLogger("cmdstanpy"), "disabled", True)


def test_a_run_of_two_chains_with_warmup():
    run = run_of(EIGHT)
    assert [(c.rid, c.chain_number, len(c)) for c in run.get_chains()] == [
        ("eight", 1, 5),
        ("eight", 2, 5),
    ]
    assert {n: list(v.shape) for n, v in run.variables.items()} == {
        "mu": [],
        "theta": [3],
        "tau": [],
    }
    assert list(run.sample_stats) == [*STATS, "in_warmup"]
    first, second = run.get_chains()
    assert first.get_draws("mu").tolist() == [1.125, 1.625, 2.125, 2.625, 3.125]
    assert second.get_draws("tau", slice(None, None, -2)).tolist() == [8.25, 6.25, 4.25]
    assert first.get_draws("theta")[:2].tolist()[0] == [0.25, -1.5, 2e-05]
    np.testing.assert_array_equal(
        first.get_draws("theta", slice(1, 2)), [[np.nan, -np.inf, np.inf]]
    )
    assert first.get_stats("in_warmup").tolist() == [True, True, False, False, False]
    assert first.get_stats("acceptance_rate")[1] == 4.1311e-103
    for name, dtype in (("tree_depth", np.int64), ("n_steps", np.int64), ("diverging", np.bool_)):
        values = first.get_stats(name)
        assert values.dtype == dtype
        assert not values.flags.writeable
    assert first.get_stats("diverging").tolist() == [False, True, False, False, False]
    assert first.get_draws_at(-1)["theta"].tolist() == [7, 8, 9]
    assert first.get_stats_at(0, ["n_steps"]) == {"n_steps": 1}
    with pytest.raises(IndexError, match="the chain has 5"):
        first.get_draws_at(5)
    with pytest.raises(KeyError, match="'mu', 'theta', 'tau'"):
        first.get_draws("lp__")
    with pytest.raises(KeyError, match="in_warmup"):
        first.get_stats("mu")


def test_what_the_comments_say_is_in_the_attributes():
    attributes = run_of(EIGHT).attributes
    assert attributes["inference_library"] == "Stan"
    assert attributes["inference_library_version"] == "2.24.0"
    assert attributes["model"] == "eight_model"
    assert attributes["id"] == [1, 2]
    assert attributes["sample.adapt.delta"] == 0.8
    assert attributes["sample.hmc.nuts.max_depth"] == 10
    assert attributes["sample.hmc.metric_file"] == ""
    assert attributes["random.seed"] == 2991989946
    assert attributes["output.file"] == ["eight_model_1.csv", "eight_model_2.csv"]
    assert attributes["step_size"].tolist() == [0.813694, 0.813694 / 2]
    assert attributes["inverse_metric"].tolist() == [[0.592879, 1.5, 2.25, 3, 4e-3]] * 2
    assert attributes["warmup_seconds"].tolist() == [0.005, 0.005]
    assert attributes["sampling_seconds"].tolist() == [0.002, 0.002]
    assert attributes["total_seconds"].tolist() == [0.007, 0.007]

    run = run_of(DATA / "dense_1.csv")
    assert run.attributes["inverse_metric"].tolist() == [[[25.6389, -1.5], [-1.5, 79.8719]]]
    assert run.attributes["sample.save_warmup"] == 0
    assert "in_warmup" not in run.sample_stats
    assert run.created_at.isoformat() == "2026-11-28T09:30:00+00:00"


def test_numbers_are_those_of_python_and_of_other_readers():
    run = run_of(DATA / "dense_1.csv")
    (chain,) = run.get_chains()
    rows = [
        line.split(",")
        for line in (DATA / "dense_1.csv").read_text().splitlines()
        if line.startswith("-")
    ]
    for i, name in enumerate(("lp", "acceptance_rate", "step_size")):
        assert chain.get_stats(name).tolist() == [float(row[i]) for row in rows]
    for i, name in enumerate(("a", "b"), 7):
        assert chain.get_draws(name).tolist() == [float(row[i]) for row in rows]

    for files in (EIGHT, [DATA / "dense_1.csv"]):
        run, fit = run_of(files), cmdstanpy.from_csv([str(file) for file in files])
        has_warmup = "in_warmup" in run.sample_stats
        names = [*fit.method_variables(), *fit.stan_variables()]
        theirs = fit.draws(inc_warmup=has_warmup)
        for i, chain in enumerate(run.get_chains()):
            mine = [chain.get_stats(name).reshape(len(chain), -1) for name in STATS]
            mine += [chain.get_draws(name).reshape(len(chain), -1) for name in run.variables]
            assert len(names) == len(mine)
            np.testing.assert_array_equal(theirs[:, i], np.concatenate(mine, axis=1))


def test_large_files_are_read_as_others_read_them(tmp_path):
    shapes = {"mu": (), "theta": (20,), "Sigma": (3, 4), "y": (2, 3, 4)}
    files = [tmp_path / f"fit_{i}.csv" for i in (1, 2)]
    for i, file in enumerate(files, 1):
        write_chain(file, shapes, 900, 18, i)
    assert files[0].stat().st_size > 1_000_000  # several pieces for several threads
    run, fit = run_of(f"{tmp_path}/fit_*.csv"), cmdstanpy.from_csv(list(map(str, files)))
    for name in shapes:
        theirs = fit.stan_variable(name).reshape(2, 900, *shapes[name])
        for i, chain in enumerate(run.get_chains()):
            np.testing.assert_array_equal(chain.get_draws(name), theirs[i])
            rows = slice(17, 800, 13)
            np.testing.assert_array_equal(chain.get_draws(name, rows), theirs[i, rows])


def test_containers_complex_numbers_and_tuples_are_arrays():
    run = run_of(DATA / "containers.csv")
    (chain,) = run.get_chains()
    shapes = {n: (v.dtype, tuple(v.shape)) for n, v in run.variables.items()}
    assert shapes == {
        "m": ("float64", (2, 3)),
        "c": ("float64", (2, 2, 2)),
        "z": ("complex128", ()),
        "v": ("complex128", (2,)),
        "pair:1": ("float64", ()),
        "pair:2": ("float64", (2,)),
        "pairs:1": ("float64", (2,)),
        "pairs:2": ("float64", (2, 2)),
        "deep:1:1": ("float64", ()),
        "deep:1:2": ("complex128", ()),
    }
    assert chain.get_draws("m")[0].tolist() == [[11, 12, 13], [21, 22, 23]]
    assert chain.get_draws("pairs:2")[0].tolist() == [[121, 122], [221, 222]]
    assert chain.get_draws("deep:1:2").tolist() == [10 + 11j, 110 + 111j]
    fit = cmdstanpy.from_csv(str(DATA / "containers.csv"))
    for name in ("m", "c", "z", "v"):
        np.testing.assert_array_equal(chain.get_draws(name), fit.stan_variable(name))
    for i in range(2):
        for j, (one, two) in enumerate(fit.stan_variable("pairs")[i]):
            assert chain.get_draws("pairs:1")[i, j] == one
            np.testing.assert_array_equal(chain.get_draws("pairs:2")[i, j], two)


def test_the_order_of_columns_is_that_of_their_names(tmp_path):
    path = tmp_path / "x.csv"
    header = 'lp__,"b[2,1]",a.2,b[1,1],"b[1,2]",b[2,2],a.1,odd.1,odd.3,z.real,y.0'
    path.write_text(header + "\n0,21,2,11,12,22,1,5,6,7,8\n")
    (chain,) = run_of(path).get_chains()
    assert chain.get_draws("b").tolist() == [[[11, 12], [21, 22]]]
    assert chain.get_draws("a").tolist() == [[1, 2]]
    for name, value in (("odd.1", 5), ("odd.3", 6), ("z.real", 7), ("y.0", 8)):  # no whole arrays
        assert chain.get_draws(name).tolist() == [value]


def test_trees_are_those_of_arviz():
    tree = run_of(EIGHT).to_datatree()
    assert tree["posterior"].sizes == {"chain": 2, "draw": 3, "theta_dim_0": 3}
    assert list(tree["sample_stats"].data_vars) == STATS
    if not hasattr(arviz, "from_cmdstan"):  # ArviZ 1
        return
    theirs = arviz.from_cmdstan([str(path) for path in EIGHT], save_warmup=True)
    for group in ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats"):
        assert set(theirs[group].data_vars) == set(tree[group].data_vars)
        for name, values in theirs[group].data_vars.items():
            mine = tree[group][name]
            assert (mine.dtype, mine.dims) == (values.dtype, values.dims)
            np.testing.assert_array_equal(mine.values, values.values)


def test_summaries_leave_the_warmup_out():
    summary = run_of(EIGHT).summary()
    assert summary.chains == {1: 3, 2: 3}
    assert summary.variables["mu"].mean == pytest.approx(2.6875)


def test_the_other_methods_that_draw():
    run = run_of(DATA / "fixed_param.csv")
    assert list(run.sample_stats) == ["lp", "acceptance_rate"]  # there is no warm-up
    assert run.get_chains()[0].get_draws("y_sim").tolist() == [[20, 75], [20, 403], [3, 1]]

    run = run_of(DATA / "variational.csv")
    (chain,) = run.get_chains()
    assert len(chain) == 3
    assert chain.get_draws("mu").tolist() == [[31, 35.5], [32, 58.75], [31.5, 53.75]]
    assert chain.get_stats("log_p").tolist() == [-186, -184, -185]
    assert run.attributes["mean.mu"].tolist() == [31.5, 53.25]  # of the approximation
    assert run.attributes["eta"] == 100

    run = run_of(DATA / "pathfinder.csv")
    (chain,) = run.get_chains()
    assert chain.get_stats("path").tolist() == [1, 2, 2]
    assert chain.get_draws("theta").tolist() == [0.0811852, 0.160207, 0.35819]
    assert run.attributes["psis_seconds"].tolist() == [0.003]

    run = run_of(DATA / "laplace.csv")
    assert list(run.sample_stats) == ["log_p", "log_q"]

    run = run_of(DATA / "quantities.csv")
    assert not run.sample_stats
    assert run.get_chains()[0].get_draws("y_rep").tolist() == [[0, 1], [1, 1], [0, 0]]
    assert run.attributes["generated_quantities_seconds"].tolist() == [0.123]

    run = run_of(DATA / "windows.csv")
    (chain,) = run.get_chains()
    assert chain.get_draws("x").tolist() == [[1.77729, 2.78641e-30], [0.984479, 0.714255]]
    assert np.isnan(chain.get_draws("y")[1])
    assert run.attributes["step_size"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("name", "found"), [("optimize", "a point estimate"), ("diagnose", "no header row")]
)
def test_methods_without_draws_are_refused(name, found):
    backend = drawstore.open(DATA / f"{name}.csv")
    assert backend.get_runs()[0].chains == {0: 0}
    with pytest.raises(ValueError, match=rf"{name}\.csv.*{found}"):
        backend.get_run(name)


def test_files_of_other_runs_are_no_chains_of_this_one(tmp_path):
    with pytest.raises(ValueError, match="column 8 is 'mu' in the first and 'a' in the second"):
        StanCSV([EIGHT[0], DATA / "dense_1.csv"]).get_run("eight")
    text = EIGHT[1].read_text().replace(",tau\n", "\n")
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match="column 12 is 'tau' in the first and not there in"):
        StanCSV([EIGHT[0], tmp_path / "x.csv"]).get_run("eight")


def test_it_is_read_only():
    backend = drawstore.open(EIGHT)
    run = backend.get_run("eight")
    (chain, _) = run.get_chains()
    for change in (
        lambda: backend.init_run(run.meta),
        lambda: backend.delete_run("eight"),
        lambda: run.init_chain(3),
        lambda: run.add_groups(prior={"mu": np.zeros((2, 3))}),
        lambda: chain.append({}),
        lambda: chain.extend({}),
    ):
        with pytest.raises(RuntimeError, match="can only be read"):
            change()
    for where in (EIGHT, EIGHT[0], DATA, f"{DATA}/eight_*.csv"):
        with pytest.raises(ValueError, match="can only be read"):
            drawstore.open(where, "a")


def test_runs_and_chains_can_be_pickled(monkeypatch, tmp_path):
    monkeypatch.chdir(DATA)
    backend = pickle.loads(pickle.dumps(drawstore.open("eight_*.csv")))
    monkeypatch.chdir(tmp_path)
    run = pickle.loads(pickle.dumps(backend.get_run("eight")))
    chain = pickle.loads(pickle.dumps(run.get_chains()[1]))
    assert chain.get_draws("mu")[0] == 1.25
    assert (chain.rid, chain.chain_number) == ("eight", 2)


def test_show_tells_of_it():
    report = show(str(DATA))
    assert report.kind == "stan"
    runs = {run.rid: run for run in report.runs}
    assert {chain.number: chain.draws for chain in runs["eight"].chains}[2] == 5
    assert "a point estimate" in runs["optimize"].error
    (of_pattern,) = show(f"{DATA}/dense*.csv").runs
    assert of_pattern.draws == runs[of_pattern.rid].draws


# Growing, and what is kept.


@pytest.mark.parametrize("kept_bytes", [0, 100, 2**20])
def test_what_is_kept_changes_nothing(kept_bytes):
    source = source_module.Source(str(EIGHT[0]), kept_bytes)
    for _ in range(2):
        for rows in (range(5), range(1, 4), range(0, 5, 2), range(0)):
            for name, first in (("mu", 1.125), ("tau", 4.125)):
                step = 0.5 if name == "mu" else 1
                assert source.read("draws", name, rows).tolist() == [first + step * r for r in rows]
            assert source.read("draws", "theta", rows).shape == (len(rows), 3)


def test_a_chain_grows_while_cmdstan_writes(tmp_path):
    text = EIGHT[0].read_text()
    path = tmp_path / "eight_1.csv"
    head = text.index("-6.74827")
    path.write_text(text[:head])
    run = run_of(path)
    (chain,) = run.get_chains()
    assert len(chain) == 0
    assert chain.get_draws("theta").shape == (0, 3)
    for end in range(head, len(text), 7):
        path.write_text(text[:end])
        lines = [line for line in text[:end].splitlines(keepends=True) if line[0] == "-"]
        n = sum(line.endswith("\n") for line in lines)
        assert len(chain) == n
        assert chain.get_stats("lp").tolist() == [float(line.split(",")[0]) for line in lines[:n]]
        assert chain.get_stats("in_warmup").tolist() == [i < 2 for i in range(n)]
    assert "total_seconds" not in run.attributes
    path.write_text(text)
    run.refresh()
    assert run.attributes["total_seconds"].tolist() == [0.007]
    path.write_text(text[:head])
    with pytest.raises(ValueError, match="has become shorter"):
        len(chain)


def test_many_parameters_are_read_a_few_at_a_time(monkeypatch, tmp_path):
    path = tmp_path / "wide.csv"
    names = [f"x{i}" for i in range(100)]
    rows = np.arange(2000).reshape(20, 100)
    path.write_text(
        "\n".join(["lp__," + ",".join(names), *("0," + ",".join(map(str, r)) for r in rows)]) + "\n"
    )
    source = source_module.Source(str(path), 8 * 20 * 10)
    reads = []

    class Counting:
        def read(self, *args):
            reads.append(args)
            file.read(*args)

    file, source._file = source._file, Counting()
    for i, name in enumerate(names):
        assert source.read("draws", name, range(20)).tolist() == rows[:, i].tolist()
    assert len(reads) == 10


def test_a_store_takes_all_of_a_run(tmp_path):
    for backend in (MemoryBackend(), FileBackend(tmp_path / "runs")):
        source = run_of(DATA / "containers.csv")
        target = backend.init_run(source.meta)
        (chain,) = source.get_chains()
        with target.init_chain(chain.chain_number) as into:
            into.extend(
                {name: chain.get_draws(name) for name in source.variables},
                {name: chain.get_stats(name) for name in source.sample_stats},
            )
        for name in source.variables:
            np.testing.assert_array_equal(into.get_draws(name), chain.get_draws(name))
        assert target.attributes["sample.adapt.delta"] == 0.8
