"""A pytest plugin for emcee's own tests: drawstore's names stand in the place of emcee's.

Run in a process of its own, with ``-p emcee_with_drawstore``: it changes emcee's modules for good.
"""

import sys

import emcee.autocorr
import emcee.backends
import pytest

import drawstore.autocorr
import drawstore.emcee

# By what it is in emcee; found by identity, so no module may keep one that it imported by name.
_REPLACED = [
    (emcee.backends.Backend, drawstore.emcee.Backend),
    (emcee.backends.HDFBackend, drawstore.emcee.HDFBackend),
    (emcee.backends.TempHDFBackend, drawstore.emcee.TempHDFBackend),
    (emcee.backends.get_test_backends, drawstore.emcee.get_test_backends),
    (emcee.autocorr.function_1d, drawstore.autocorr.function_1d),
    (emcee.autocorr.integrated_time, drawstore.autocorr.integrated_time),
    (emcee.autocorr.AutocorrError, drawstore.autocorr.AutocorrError),
]


def _names():
    """List what emcee's modules, its tests among them, know by name: (module, name, value)."""
    return [
        (module, name, value)
        for path, module in sorted(sys.modules.items())
        if path.split(".")[0] == "emcee"
        for name, value in list(vars(module).items())
    ]


def _is_emcees(value):
    return any(value is theirs for theirs, _ in _REPLACED)


for module, name, value in _names():
    for theirs, ours in _REPLACED:
        if value is theirs:
            setattr(module, name, ours)


def pytest_collection_modifyitems(items):
    """Check that the tests use ours, now that their modules are imported."""
    left = [f"{module.__name__}.{name}" for module, name, value in _names() if _is_emcees(value)]
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None:
            left += [item.nodeid for value in callspec.params.values() if _is_emcees(value)]
    if left:
        raise pytest.UsageError(f"still emcee's own: {left}")
