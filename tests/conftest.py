"""Options of the tests; and so that tests/ is where the tests below it find its helpers."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds",
        type=int,
        help="how often each test of tests/faults repeats its fault (each has a small default)",
    )
