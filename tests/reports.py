"""What commands print with --json, held to their schemas."""

import json
from importlib import resources

import jsonschema

from drawstore.cli import main


def report(capsys, command, *arguments):
    """Run a command with --json; gives its exit code, and the report."""
    code = main([command, *map(str, arguments), "--json"])
    found = json.loads(capsys.readouterr().out)
    schemas = resources.files("drawstore.cli") / "schemas"
    schema = json.loads((schemas / f"{command}.json").read_text())
    jsonschema.validate(found, schema, cls=jsonschema.Draft202012Validator)
    return code, found
