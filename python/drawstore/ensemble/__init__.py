"""Runs of ensemble samplers: one chain whose draws are the steps of all walkers.

`ensemble_meta` describes such a run. `by_walkers` shows it with the walkers as its chains.
`steps_of` gives the steps of any run of an ensemble, and `steps_in` those in emcee's backends.
"""

from .backends import steps_in
from .describing import (
    RANDOM_STATE,
    Parameter,
    blob_variables,
    coordinate_names,
    ensemble_meta,
    is_ensemble,
    parameters,
    parameters_of,
)
from .steps import RunSteps, Steps, steps_of
from .walkers import as_slice, by_walkers

__all__ = [
    "RANDOM_STATE",
    "Parameter",
    "RunSteps",
    "Steps",
    "as_slice",
    "blob_variables",
    "by_walkers",
    "coordinate_names",
    "ensemble_meta",
    "is_ensemble",
    "parameters",
    "parameters_of",
    "steps_in",
    "steps_of",
]
