"""What importing the package gives, and what it leaves alone."""

import subprocess
import sys
from importlib.metadata import version

import emcee
import pytest

import drawstore
from drawstore._core import ChainBuffer, StepRecorder


def test_version():
    assert drawstore.__version__ == version("drawstore")


def test_import_alone_is_light():
    heavy = {"emcee", "google.protobuf", "h5py", "numpy"}
    program = f"import sys, drawstore; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_every_name_that_is_offered_is_there():
    for name in drawstore.__all__:
        assert getattr(drawstore, name) is getattr(drawstore, name)


def test_emcee_is_told_which_classes_are_backends():
    buffer = ChainBuffer([("chain", float, (8, 2)), ("log_prob", float, (8,))])
    for not_a_backend in (buffer, StepRecorder(buffer, None)):
        with pytest.raises(AttributeError, match=r"drawstore\.emcee\.Backend.*HDFBackend"):
            emcee.EnsembleSampler(8, 2, sum, backend=not_a_backend)
        assert not hasattr(not_a_backend, "initialized")
