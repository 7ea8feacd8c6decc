"""A process that writes to a store as it is told, a line each; it answers with a line.

The arguments are the name of the store, its path, and the seconds between two signs of life.
"""

import contextlib
import io
import os
import sys

from rows import LAYOUTS
from stores import STORES, Emcee

from drawstore._core import set_heartbeat
from drawstore.cli import main
from drawstore.emcee import HDFBackend

LAYOUT = LAYOUTS[0]


def obey(command, store, path, writers):
    if command == "create":
        store.create(path, LAYOUT)
    elif command == "resume":
        writers.append(store.resume(path, LAYOUT))
    elif command == "append":
        writers[-1].append(writers[-1].count())
    elif command == "flush":
        writers[-1].sync()
    elif command == "count":
        return writers[-1].count()
    elif command == "read":
        return store.read(path, LAYOUT)
    elif command == "close":
        writers[-1].close()
    elif command == "show":
        with contextlib.redirect_stdout(io.StringIO()) as out:
            main(["show", path])
        return out.getvalue()
    elif command == "open":
        if isinstance(store, Emcee):
            HDFBackend(path).open().close()
    elif command == "fork":
        pid = os.fork()
        if pid == 0:
            writers.clear()
            sys.exit()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return "done"


def work(name, path, heartbeat):
    set_heartbeat(float(heartbeat))
    writers = []
    for line in sys.stdin:
        try:
            answer = obey(line.strip(), STORES[name], path, writers)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        print(str(answer).replace("\n", " "), flush=True)
