"""What the processes do that are killed: they append numbered rows until they die."""

import ctypes
import errno
import os
import random
import signal
import time

from disks import SIZE, Room
from stores import ALL

MOST_BYTES = 50_000_000  # of a store, where the kill comes late


class Shim:
    """What shim.c adds to a process that was started with it."""

    BEGUN, SYNCED, RELEASED = range(3)

    def __init__(self):
        self._calls = ctypes.CDLL(None)

    def follow(self, folder, log):
        self._calls.shim_follow(os.fsencode(folder), os.fsencode(log))

    def die_at(self, folder, change):
        self._calls.shim_die_at(os.fsencode(folder), ctypes.c_long(change))

    def say(self, what, number):
        self._calls.shim_say(what, ctypes.c_uint64(number))

    def look(self):
        self._calls.shim_look()


def append(writer, i, batch, ledger):
    """Append rows from the i-th on; returns the number of rows after that."""
    ledger.begun = i + batch
    writer.append(i, batch)
    ledger.appended = i + batch
    return i + batch


def append_forever(name, path, ledger, layout, pace=0.0, batch=1):
    """Append rows where the store ends, ``batch`` at once, a batch each ``pace`` seconds."""
    writer = ALL[name].resume(path, layout)
    i = writer.count()
    ledger.said += 1
    while 8 * layout.width * i < MOST_BYTES:
        i = append(writer, i, batch, ledger)
        if i % 400 < batch:
            writer.sync()
        if pace:
            time.sleep(pace)
    time.sleep(60)


def sync_until_interrupted(name, path, ledger, layout):
    """Append and deliver until Ctrl-C; then close."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        writer = ALL[name].resume(path, layout)
        i = writer.count()
        ledger.said = 1
        while True:
            for _ in range(3):
                i = append(writer, i, 1, ledger)
            writer.sync()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ledger.said = 2
    writer.close()


def die_at_change(name, path, ledger, layout, seed, change):
    """Append, sync, close and resume until the store's folder is changed for that time."""
    chosen = random.Random(seed)
    Shim().die_at(os.path.dirname(path), change)
    while True:
        writer = ALL[name].resume(path, layout)
        i = writer.count()
        for _ in range(chosen.choice([3, 30])):
            i = append(writer, i, chosen.choice([1, 1, 10, 60]), ledger)
            if chosen.random() < 0.2:
                writer.sync()
        writer.close()


def die_while_healing(name, path, layout, change):
    """Open the store and let go of it; die at a change of its folder, where there are so many."""
    Shim().die_at(os.path.dirname(path), change)
    ALL[name].resume(path, layout).close()


def be_recorded(name, path, log, layout, seed, n):
    """Append n rows, sync and close at random moments, all of it recorded by the shim."""
    shim, chosen = Shim(), random.Random(seed)
    shim.follow(os.path.dirname(path), log)
    store = ALL[name]
    store.create(path, layout)
    writer = None
    i = 0
    while i < n:
        if writer is None:
            writer = store.resume(path, layout)
            assert writer.count() == i
        batch = chosen.choice([1, 1, 1, 5, 40])
        shim.say(shim.BEGUN, i + batch)
        writer.append(i, batch)
        i += batch
        what = chosen.random()
        if what < 0.3:
            shim.look()
        elif what < 0.4:
            writer.sync()
            shim.say(shim.SYNCED, i)
        elif what < 0.42:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()
    shim.look()


def be_recorded_while_healing(name, image, path, log, layout):
    """Put files where a loss of power has left them, durably; then heal, recorded by the shim."""
    shim, folder = Shim(), os.path.dirname(path)
    shim.follow(folder, log)
    for at, folders, files in os.walk(image):
        there = os.path.normpath(os.path.join(folder, os.path.relpath(at, image)))
        for other in folders:
            os.mkdir(os.path.join(there, other))
        for file in files:
            with open(os.path.join(at, file), "rb") as source:
                data = source.read()
            with open(os.path.join(there, file), "wb") as target:
                target.write(data)
                target.flush()
                os.fsync(target.fileno())
    for at, _, _ in os.walk(folder):
        opened = os.open(at, os.O_RDONLY)
        os.fsync(opened)
        os.close(opened)
    shim.look()
    shim.say(shim.BEGUN, 1)
    ALL[name].resume(path, layout).close()
    shim.look()


def fill(name, path, layout, n):
    """Make a store of n rows, appended one by one and many at once, synced and closed."""
    ALL[name].create(path, layout)
    writer = ALL[name].resume(path, layout)
    writer.append(0, n // 2)
    for i in range(n // 2, n):
        writer.append(i)
    writer.sync()
    writer.close()


def read_damaged(name, path, layout, n):
    """Read a store, and go on with it: all rows are right, or an error names the file."""
    store = ALL[name]
    for write in False, True:
        try:
            if write:
                writer = store.resume(path, layout)
                writer.append(writer.count())
                writer.close()
            found = store.read(path, layout)
        except AssertionError:
            raise
        except Exception as error:
            if path not in str(error):
                raise
        else:
            assert found == n + write, f"{found} rows"


def meet_full_disk(name, path, layout, ledger, kind, before, room, batch):
    """Append until the disk is full; look at what is there, and go on when there is room again."""
    store, disk = ALL[name], Room(kind, path)
    store.create(path, layout)
    writer = store.resume(path, layout)
    for i in range(0, before, batch):
        writer.append(i, batch)
    i = writer.count()
    disk.leave(room)
    for _ in range(2):  # it stays full
        while True:
            assert 8 * layout.width * i < SIZE, "the disk was not full"
            try:
                writer.append(i, batch)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EFBIG) or path not in str(error):
                    raise
                break
            i += batch
        assert writer.count() == i
        assert store.read(path, layout) == i
    disk.free()
    stop = i + 20 * batch
    while i < stop:
        writer.append(i, batch)
        i += batch
    writer.close()
    ledger.appended = i


def leave_journal(name, path, layout, stored, n):
    """Make a store with some rows, and die when n have been appended."""
    store = ALL[name]
    store.create(path, layout)
    writer = store.resume(path, layout)
    writer.append(0, stored)
    writer.close()
    writer = store.resume(path, layout)
    for i in range(stored, n):
        writer.append(i)
    os.kill(os.getpid(), signal.SIGKILL)


def write_with_a_pool(name, path, ledger, layout):
    """Append some rows, have a worker that lives on, and wait for the kill."""
    writer = ALL[name].resume(path, layout)
    append(writer, writer.count(), 1, ledger)
    worker = os.fork()
    if worker == 0:
        time.sleep(60)
        os._exit(0)
    append(writer, writer.count(), 1, ledger)
    ledger.said = worker
    time.sleep(60)
