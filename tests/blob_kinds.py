"""Blobs of every kind, for the tests of those who keep them."""

import numpy as np
import pytest

from emcee_runs import (
    log_prob,
)

STRUCTURED = np.dtype([("energy", float), ("count", np.int16), ("label", "U5")])


NESTED = np.dtype([("inner", [("x", "f4"), ("flag", bool)]), ("pair", float, (2,)), ("n", "i8")])


# What the log-probability function returns beside its value, by the name of the kind; and the
# blobs_dtype with which emcee is told what it cannot guess.
STORABLE = {
    "float": (lambda x: float(x[0]), None),
    "float16": (lambda x: float(x[0]), np.float16),
    "int": (lambda x: int(10 * x[0]), None),
    "uint8": (lambda x: int(abs(x[0])), np.uint8),
    "bool": (lambda x: bool(x[0] > 0), None),
    "complex": (lambda x: complex(x[0], x[1]), None),
    "longdouble": (lambda x: np.longdouble(x[0]) + np.finfo(np.longdouble).eps, None),
    "vector": (lambda x: 2.0 * x, None),
    "matrix": (lambda x: np.outer(x, x), None),
    "bytes": (lambda x: b"%d" % int(10 * x[0]), "S8"),
    "text": (lambda x: f"ü{int(10 * x[0])}", "U8"),
    "structured": (lambda x: (float(x[0]), int(x[1]), "walk"), STRUCTURED),
    "nested": (lambda x: ((x[0], x[1] > 0), x[:2], int(x[2])), NESTED),
    "strings": (lambda x: "b" * int(5 * abs(x[0])), None),
    "two strings": (lambda x: ("face", "surface" if x[0] > 0 else ""), None),
}


ONLY_IN_MEMORY = {
    "datetime64": (lambda x: np.datetime64(int(1000 * x[0]), "D"), "M8[D]"),
    "timedelta64": (lambda x: np.timedelta64(int(10 * x[0]), "s"), "m8[s]"),
    "list": (lambda x: ["a", float(x[0])], object),
    "array": (lambda x: np.arange(int(5 * abs(x[0]))), object),
    "None": (lambda x: None if x[0] > 0 else float(x[0]), None),
    "ragged": (lambda x: (np.zeros(3), "face"), object),
    "object field": (lambda x: (float(x[0]), [1]), [("energy", float), ("what", object)]),
    "date in a field": (lambda x: (x[0], "2020-01-01"), [("energy", float), ("day", "M8[D]")]),
}


def returning(blob):
    """Make a log-probability function that returns a blob."""

    def function(x):
        value = blob(x)
        return (log_prob(x), *value) if isinstance(value, tuple) else (log_prob(x), value)

    return function


def kinds(table):
    return pytest.mark.parametrize(("blob", "dtype"), table.values(), ids=table)
