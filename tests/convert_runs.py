"""Runs with everything that a store holds, and what must be equal after a conversion."""

import os

import numpy as np
import xarray as xr

import drawstore
from drawstore.testing.values import made_up

RAGGED = "ragged"
TEXTS = ["", "a", "é", "日本語", "two\nlines", 'it\'s "so"']

VARIABLES = {
    "x": ("float64", (3,), ("side",)),
    "f4": ("float32", (2, 2)),
    "flag": ("bool", ()),
    "u2": ("uint16", ()),
    "i8": ("int64", (2,)),
    "big": (">f8", ()),
    "half": ("float16", ()),
    "c8": ("complex64", (2,)),
    "c16": ("complex128", ()),
    "when": ("datetime64[ms]", ()),
    "took": ("timedelta64[s]", ()),
    "text": ("str", ()),
    "bytes": ("S5", (2,)),
    "letters": ("U4", ()),
    'quoted "μ"': ("float64", ()),
}
ODD = {
    RAGGED: ("float32", (-1, 2)),
    "texts": ("str", (-1,)),
    "a/b": ("float64", ()),
    "long": ("longdouble", ()),
    "fields": ([("a", "f4"), ("n", "i2")], ()),
}
STATS = {
    "tune": ("bool", ()),
    "depth": ("int64", ()),
    "energy": ("float64", (2,)),
    "message": ("str", ()),
}

TREES = ["run.nc", "run.zarr"]
FRAMES = ["run.parquet", "run.feather"]
EXACT = ["runs", "runs.h5"]
LENGTHS = {0: 23, 3: 23}
UNEVEN = {0: 23, 1: 9, 4: 2}
UNLIKE = ("x", "flag", "u2", "i8", "text", "when", "took")


def everything(odd=True, rid="all of it", variables=VARIABLES):
    """Describe a run with every kind of variable; without the odd ones, those of ArviZ's files."""
    return drawstore.make_meta(
        variables | (ODD if odd else {}),
        STATS,
        coords={"side": ["left", "ü", "right"], "other": [1.5, 2.5]},
        observed_data={"y": ([1.0, 2.0, 3.0], "obs"), "n": (np.int16(7), None)},
        constant_data={"z": (np.array([["a", "b"]]), (None, "col"))},
        attributes={"note": "é", "nothing": None, "nested": {"a": [1, 2]}, "number": 2.5},
        deterministics=["u2"],
        rid=rid,
    )


def values(name, spec, n, seed):
    """Make up n draws of a variable."""
    dtype, shape = spec[0], spec[1]
    rng = np.random.default_rng(seed)
    if dtype == "str" and shape == ():
        return np.array([TEXTS[i % len(TEXTS)] for i in range(n)], object)
    if name == RAGGED:
        return [rng.normal(size=(i % 3, 2)).astype("f4") for i in range(n)]
    if dtype == "str":
        return [np.array(TEXTS[: i % 4], object) for i in range(n)]
    if name == "when":
        return rng.integers(0, 2**40, n).astype(dtype)
    if name == "half":  # of which netCDF keeps the value, as a longer float
        return rng.normal(size=n).astype(dtype)
    if name == "i8":  # exact as floats, too, which they become where chains differ in length
        return rng.integers(-(2**53), 2**53, (n, *shape))
    if name == "took":
        took = rng.integers(0, 99, n).astype(dtype)
        took[4::5] = np.timedelta64("NaT", "s")
        return took
    if name in ("bytes", "letters"):
        words = np.array(["", "ab", "xyz"], dtype)
        return words[rng.integers(0, 3, (n, *shape))]
    return made_up(dtype, (n, *shape), seed)


def fill(run, lengths, *, n_warmup=4, missing=True):
    """Append made-up draws to new chains of a run, by number and length."""
    specs = {v.name: (v.dtype, tuple(v.shape)) for v in run.meta.variables}
    for number, n in lengths.items():
        with run.init_chain(number) as chain:
            draws = {
                name: values(name, (VARIABLES | ODD)[name], n, number + i)
                for i, name in enumerate(specs)
            }
            lacks = (np.arange(n) % 7 == 6) & missing
            chain.extend(
                draws,
                {
                    "tune": np.arange(n) < n_warmup,
                    "depth": np.ma.MaskedArray(np.arange(n) - 3, lacks),
                    "energy": np.ma.MaskedArray(
                        values("energy", STATS["energy"], n, number),
                        np.repeat(lacks[:, None], 2, axis=1),
                    ),
                    "message": values("message", ("str", ()), n, 0),
                },
            )


def make_run(lengths=LENGTHS, *, odd=True, only=tuple(VARIABLES), **options):
    variables = {name: VARIABLES[name] for name in only}
    run = drawstore.FileBackend("source").init_run(everything(odd, variables=variables))
    fill(run, lengths, **options)
    return run


def make_small(lengths=LENGTHS):
    """Make a run of few variables, all of which any format holds to the bit."""
    return make_run(lengths, odd=False, only=("x", "u2", "text"), missing=False)


def only(where):
    """Open the one run that is somewhere."""
    backend = drawstore.open(where)
    (info,) = backend.get_runs()
    return backend.get_run(info.rid)


def tree_of(where):
    engine = "zarr" if os.path.isdir(where) else "h5netcdf"
    with xr.open_datatree(where, engine=engine, decode_timedelta=True) as tree:
        return tree.load()


def assert_same_values(got, expected, name=""):
    """Two arrays are equal to the bit, in dtype, shape, mask, and below where nothing is masked."""
    assert type(got) is type(expected), name
    assert got.dtype == expected.dtype, name
    assert got.shape == expected.shape, name
    if isinstance(expected, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(expected)
        np.testing.assert_array_equal(np.ma.getmaskarray(got), mask, err_msg=name)
        got, expected = got.data[~mask], expected.data[~mask]
    if expected.dtype == object:
        for one, other in zip(got.ravel(), expected.ravel(), strict=True):
            if isinstance(other, np.ndarray):
                assert_same_values(one, other, name)
            else:
                assert type(one) is type(other), name
                assert one == other, name
    elif expected.dtype.kind == "f" and expected.dtype.itemsize > 8:  # its padding differs
        np.testing.assert_array_equal(got, expected, err_msg=name)
    else:
        assert got.tobytes() == expected.tobytes(), name


def assert_same_chains(run, expected, besides=(), inexact=()):
    """Two runs have the same chains with the same draws and stats, in any slice.

    ``besides`` are not there; ``inexact`` are, as doubles.
    """
    variables = [name for name in expected.variables if name not in besides]
    stats = [name for name in expected.sample_stats if name not in besides]
    assert list(run.variables) == variables
    assert list(run.sample_stats) == stats
    chains, others = run.get_chains(), expected.get_chains()
    assert [chain.chain_number for chain in chains] == [other.chain_number for other in others]
    assert [len(chain) for chain in chains] == [len(other) for other in others]
    for chain, other in zip(chains, others, strict=True):
        for slc in (slice(None), slice(None, 1, -3)):
            for name in variables:
                wanted = other.get_draws(name, slc)
                if name in inexact:
                    wanted = wanted.astype(float).astype(wanted.dtype)
                assert_same_values(chain.get_draws(name, slc), wanted, name)
            for name in stats:
                assert_same_values(chain.get_stats(name, slc), other.get_stats(name, slc), name)
        if len(other):
            at, expected_at = (c.get_draws_at(-1, variables[:2]) for c in (chain, other))
            for name in variables[:2]:
                assert_same_values(at[name], expected_at[name], name)


def assert_same_facts(run, expected, besides=()):
    """Two runs have the same id, dims, coords, data and attributes."""
    assert run.rid == expected.rid
    kept = {name: dims for name, dims in expected.dims.items() if name not in besides}
    assert run.dims == kept
    assert run.attributes == expected.attributes
    for kind in ("coords", "observed_data", "constant_data"):
        got, wanted = getattr(run, kind), getattr(expected, kind)
        assert list(got) == list(wanted)
        for name in wanted:
            assert_same_values(got[name], wanted[name], name)
    determined = [v.name for v in expected.meta.variables if v.is_deterministic]
    assert [v.name for v in run.meta.variables if v.is_deterministic] == determined


def assert_same_groups(run, expected):
    """Two runs have the same groups beside their draws."""
    got, wanted = run._load_groups(), expected._load_groups()
    assert got.keys() == wanted.keys()
    for name, group in wanted.items():
        assert got[name].dims == group.dims
        assert got[name].attrs.keys() == group.attrs.keys()
        for part in ("values", "coords"):
            for item, array in getattr(group, part).items():
                np.testing.assert_array_equal(getattr(got[name], part)[item], array)
