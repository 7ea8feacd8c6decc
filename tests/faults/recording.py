"""What the disk may hold after a loss of power, from what shim.c wrote down of a process.

Each page that was not synced since may be as at the last sync, as now, or as at any time between;
in half of the cases, each sector of 512 bytes. The length of a file likewise. Names come to the
disk in their order, as journaling file systems do it: all that a folder's sync had to make durable,
and some that came later.
"""

import bisect
import os
import struct
from enum import IntEnum

_HEAD = struct.Struct("<B3xIQQ")
PAGE = 4096
_SECTOR = 512


class Kind(IntEnum):
    """As in shim.c."""

    CONTENT = 0
    SIZE = 1
    SYNCED = 2
    FOLDER_SYNCED = 3
    CREATED = 4
    FOLDER_MADE = 5
    LINKED = 6
    RENAMED = 7
    UNLINKED = 8
    SAID = 9


class _Versions:
    """The values that something had, each from a moment on."""

    def __init__(self, first):
        self.moments = [-1]
        self.values = [first]

    def add(self, moment, value):
        self.moments.append(moment)
        self.values.append(value)

    def choose(self, random, synced, now, newest):
        """One of those since a sync; the newest one with some probability."""
        low = bisect.bisect_left(self.moments, synced) - 1
        high = bisect.bisect_right(self.moments, now) - 1
        if high <= low or random.random() < newest:
            return self.values[high]
        return self.values[random.randint(max(low, 0), high)]


class _File:
    def __init__(self):
        self.size = _Versions(0)
        self.pages = {}
        self.syncs = []  # when it returned, what moment it made durable, first page, page behind

    def durable(self, now):
        """Moments up to which the length and the pages are durable."""
        length, whole, ranges = -1, -1, []
        for returned, moment, first, stop in self.syncs:
            if returned > now:
                break
            length = max(length, moment)
            if first is None:
                whole = max(whole, moment)
            else:
                ranges.append((moment, first, stop))
        return length, whole, ranges


class Recording:
    """A log of shim.c.

    Parameters
    ----------
    path : path-like
        Of the log.
    """

    def __init__(self, path):
        with open(path, "rb") as file:
            self._log = file.read()
        self._files = []
        self._names = []  # when, what, names
        self._folder_syncs = []
        self._said = {}  # what was said, as versions
        self.moments = []
        at = 0
        while at < len(self._log):
            self._take(at)
            self.moments.append(at)
            at = self._next

    def _take(self, at):
        kind, number, value, size = _HEAD.unpack_from(self._log, at)
        begin = at + _HEAD.size
        self._next = begin + size
        data = self._log[begin : self._next] if kind != Kind.CONTENT else None
        if kind == Kind.CONTENT:
            self._files[number].pages.setdefault(value, _Versions(None)).add(at, begin)
        elif kind == Kind.SIZE:
            self._files[number].size.add(at, value)
        elif kind == Kind.SYNCED:
            first, count = struct.unpack("<QQ", data) if data else (None, 0)
            stop = None if first is None else first + count
            self._files[number].syncs.append((at, value, first, stop))
        elif kind == Kind.FOLDER_SYNCED:
            self._folder_syncs.append((at, value))
        elif kind == Kind.SAID:
            self._said.setdefault(number, _Versions(0)).add(at, value)
        else:
            names = data.decode().split("\0")
            if kind == Kind.CREATED:
                assert number == len(self._files)
                self._files.append(_File())
                names.append(number)
            self._names.append((at, kind, names))

    def said(self, what, now):
        """What the process had said last."""
        if what not in self._said:
            return 0
        versions = self._said[what]
        return versions.values[bisect.bisect_right(versions.moments, now) - 1]

    def crash(self, random, folder, now):
        """Make what a loss of power at a moment may leave."""
        newest = random.choice([0.0, 0.3, 0.7, 0.95, 1.0])
        unit = random.choice([PAGE, _SECTOR])
        for name, number in self._tree(random, now).items():
            path = os.path.join(folder, name)
            if number is None:
                os.makedirs(path, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(self._content(random, self._files[number], now, newest, unit))

    def _tree(self, random, now):
        """Files and folders (None) by their names."""
        durable = max([moment for at, moment in self._folder_syncs if at <= now], default=-1)
        moments = [at for at, _, _ in self._names]
        low = bisect.bisect_left(moments, durable)
        high = bisect.bisect_right(moments, now)
        tree = {}
        for _, kind, names in self._names[: random.randint(low, high)]:
            if kind == Kind.CREATED:
                tree[names[0]] = names[1]
            elif kind == Kind.FOLDER_MADE:
                tree[names[0]] = None
            elif kind == Kind.LINKED:
                tree[names[1]] = tree[names[0]]
            elif kind == Kind.UNLINKED:
                del tree[names[0]]
            elif kind == Kind.RENAMED:
                moved = {
                    name: number
                    for name, number in tree.items()
                    if name == names[0] or name.startswith(names[0] + "/")
                }
                tree = {name: number for name, number in tree.items() if name not in moved}
                tree |= {names[1] + name[len(names[0]) :]: n for name, n in moved.items()}
        return tree

    def _content(self, random, file, now, newest, unit):
        length, whole, ranges = file.durable(now)
        size = file.size.choose(random, length, now, newest)
        data = bytearray(-(-size // PAGE) * PAGE)
        for number, versions in file.pages.items():
            begin = number * PAGE
            if begin >= size:
                continue
            synced = max([whole, *(m for m, low, high in ranges if low <= number < high)])
            for low in range(0, PAGE, unit):
                at = versions.choose(random, synced, now, newest)
                if at is not None:
                    data[begin + low : begin + low + unit] = self._log[at + low : at + low + unit]
        return data[:size]
