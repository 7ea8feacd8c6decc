"""That each report of the command has a schema; that reports fit it is tested with the commands."""

import importlib
from pathlib import Path

import click
import jsonschema
import pytest

from cli_runs import SCHEMAS, schema
from drawstore.cli import drawstore

COMMANDS = drawstore.list_commands(click.Context(drawstore))


def has_json(command):
    found = importlib.import_module(f"drawstore.cli.{command}").command
    return any("--json" in param.opts for param in found.params)


@pytest.mark.parametrize("command", list(filter(has_json, COMMANDS)))
def test_each_command_has_a_strict_schema(command):
    found = schema(command).schema
    assert found["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]
    assert found["additionalProperties"] is False
    assert set(found["required"]) == set(found["properties"])


def test_each_schema_is_that_of_a_command():
    assert {Path(path).stem for path in SCHEMAS.glob("*.json")} <= set(COMMANDS)
    assert list(filter(has_json, COMMANDS))
