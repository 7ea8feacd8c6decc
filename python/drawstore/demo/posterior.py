"""The straight-line fit with outliers of Hogg, Bovy & Lang (2010)."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

__all__ = ["LineWithOutliers", "read_points"]

_Floats = NDArray[np.float64]

# Flat priors between these bounds. x, y and their uncertainties have no units in the paper; a slope
# is in units of y a unit of x, Y_bad in units of y, V_bad in their square.
_BOUNDS = {
    "m": (-10.0, 10.0),
    "b": (-1000.0, 1000.0),
    "P_bad": (0.0, 1.0),
    "Y_bad": (-1000.0, 2000.0),
    "ln V_bad": (0.0, 16.0),
}


def read_points() -> tuple[_Floats, _Floats, _Floats]:
    """Read the 20 points of the paper's table 1.

    Returns
    -------
    x, y, sigma_y : ndarray, shape (20,)
    """
    text = files(__package__).joinpath("hogg2010_table1.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    table = np.array([[float(row[key]) for key in ("x", "y", "sigma_y")] for row in rows])
    x, y, sigma_y = table.T
    return x, y, sigma_y


class LineWithOutliers:
    """A point lies on the line y = m x + b, or with probability P_bad somewhere else.

    Where it lies elsewhere, its y is from a Gaussian of mean Y_bad and variance V_bad (equation 17
    of the paper). As there, uncertainties are those of y alone.

    Parameters
    ----------
    x, y, sigma_y : ndarray, shape (n,)
        The points, and the uncertainty of y.
    """

    names = tuple(_BOUNDS)
    # After a number, its unit: x and y are pure numbers in the paper.
    units = ("y / x", "y", "", "y", "y²")

    def __init__(self, x: _Floats, y: _Floats, sigma_y: _Floats) -> None:
        self.x = x
        self.y = y
        self._variance = sigma_y**2
        self._low, self._high = np.array(list(_BOUNDS.values())).T

    def log_prob(self, parameters: _Floats) -> _Floats:
        """Give the logarithm of the posterior for many walkers at once.

        Parameters
        ----------
        parameters : ndarray, shape (k, 5)

        Returns
        -------
        ndarray, shape (k,)
            Up to a constant; -inf outside of the bounds.
        """
        result = np.full(len(parameters), -np.inf)
        inside = np.all((parameters > self._low) & (parameters < self._high), axis=1)
        m, b, p_bad, y_bad, ln_v_bad = parameters[inside].T[:, :, np.newaxis]
        good = np.log1p(-p_bad) + _ln_gauss(self.y - m * self.x - b, self._variance)
        bad = np.log(p_bad) + _ln_gauss(self.y - y_bad, self._variance + np.exp(ln_v_bad))
        result[inside] = np.logaddexp(good, bad).sum(axis=1)
        return result

    def start(self, nwalkers: int, seed: int) -> _Floats:
        """Place walkers about the least-squares line through all points, good and bad.

        Parameters
        ----------
        nwalkers : int
        seed : int
            Of the random numbers.

        Returns
        -------
        ndarray, shape (nwalkers, 5)
        """
        m, b = np.polyfit(self.x, self.y, 1, w=self._variance**-0.5)
        centre = np.array([m, b, 0.5, self.y.mean(), np.log(self.y.var())])
        spread = np.array([0.1, 10.0, 0.1, 10.0, 0.5])
        return centre + spread * np.random.default_rng(seed).standard_normal((nwalkers, 5))


def _ln_gauss(distance: _Floats, variance: _Floats) -> _Floats:
    return -0.5 * (distance**2 / variance + np.log(2 * np.pi * variance))
