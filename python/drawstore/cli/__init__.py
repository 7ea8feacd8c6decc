"""The command `drawstore`; each of its subcommands is a module of that name here."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from drawstore.text import escaped

__all__ = ["main"]

_COMMANDS = (
    "ls",
    "show",
    "summary",
    "watch",
    "serve",
    "check",
    "recover",
    "convert",
    "snapshot",
    "repack",
    "rescue",
    "why",
    "diff",
    "run",
    "demo",
)
_UNUSABLE = 2  # the exit code for arguments that make no sense

_EPILOG = """\b
To have bash complete commands, paths and the ids of runs, put into ~/.bashrc:
  eval "$(_DRAWSTORE_COMPLETE=bash_source drawstore)"
In zsh it is zsh_source; in fish: _DRAWSTORE_COMPLETE=fish_source drawstore | source
"""


class _Commands(click.Group):
    """Subcommands that are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
        return command


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.version_option(package_name="drawstore", message="drawstore %(version)s")
def drawstore() -> None:
    """Storage for MCMC draws: look at runs, check them, compare them, put them right."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        After the command's name; by default those of the process.

    Returns
    -------
    int
        The exit code: 0, or 1 where the command could not do its work or found damage, 2 for
        arguments that make no sense, or 130 where it was interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may know no "±"
    words = None if arguments is None else list(arguments)
    try:
        return drawstore.main(words, prog_name="drawstore", standalone_mode=False) or 0
    except click.UsageError as error:
        error.show()
        return _UNUSABLE
    except click.Abort:  # an interrupt; click has ended the line
        click.echo("drawstore: interrupted", err=True)
        return 130
    except KeyError as error:  # its text is quoted
        click.echo(f"drawstore: {escaped(str(error.args[0]))}", err=True)
        return 1
    except (click.ClickException, ImportError, OSError, RuntimeError, ValueError) as error:
        click.echo(f"drawstore: {escaped(str(error))}", err=True)
        return 1
