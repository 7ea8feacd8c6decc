"""Options of the tests; and so that tests/ is where the tests below it find its helpers."""

import signal

import pytest

# Who starts the tests in the background may have Ctrl-C ignored, and so would their children.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds",
        type=int,
        help="how often each test of tests/faults repeats its fault (each has a small default)",
    )
