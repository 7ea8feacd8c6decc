"""Runs that the tests show to ArviZ."""

import numpy as np

from drawstore import MemoryBackend, make_meta


def fill(run, lengths, tune=0):
    """Append draws to chains: the values of a draw tell its number and its chain."""
    for number, n in enumerate(lengths):
        chain = run.init_chain(number)
        for i in range(n):
            draw, stats = {}, {}
            for kind, variables in ((draw, run.variables), (stats, run.sample_stats)):
                for name, variable in variables.items():
                    value = 1000 * number + i
                    value = str(value) if variable.dtype == "str" else value
                    kind[name] = np.full([abs(size) for size in variable.shape], value)
            if "tune" in stats:
                stats["tune"] = np.bool_(i < tune)
            chain.append(draw, stats)
    return run


def simple_run(lengths, tune=0, **more):
    options = {
        "variables": {"x": (float, ()), "v": ("float32", (3,), "group"), "k": (int, (2,))},
        "sample_stats": {"tune": (bool, ()), "depth": ("int16", ())},
        "coords": {"group": ["a", "b", "c"]},
    }
    return fill(MemoryBackend().init_run(make_meta(**(options | more))), lengths, tune)


def one_variable(name, dtype, shape=(), lengths=(4, 4), **more):
    return simple_run(lengths, variables={name: (dtype, shape)}, sample_stats={}, **more)
