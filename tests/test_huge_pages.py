"""What many small columns cost."""

import sys

import pytest

from scripting import run

MAPPINGS = """
import re

import drawstore

meta = drawstore.make_meta({f"x{i}": ("float64", ()) for i in range(1000)})
run = drawstore.MemoryBackend().init_run(meta)
chains = [run.init_chain(number) for number in range(4)]
for chain in chains:
    chain.append(dict.fromkeys(run.variables, 1.0))

flags = []
for line in open("/proc/self/smaps"):
    if bounds := re.match("([0-9a-f]+)-([0-9a-f]+) ", line):
        size = int(bounds[2], 16) - int(bounds[1], 16)
    elif line.startswith("VmFlags:") and size >= 2**29:
        flags.append(line.split())
assert flags
assert all("nh" in words for words in flags), flags
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_columns_that_are_not_large_get_no_huge_pages_whatever_the_system_gives_to_others():
    run(MAPPINGS)
