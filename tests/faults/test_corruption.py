"""A byte that is not what it was: a clear error or the right data, never wrong data in silence."""

import os
import shutil

import pytest
from rows import LAYOUTS
from stores import STORES
from workloads import fill, read_damaged

ROUNDS = 20

# What emcee itself begins has no checksums.
CHECKED = [name for name in STORES if name != "emcee-begun-by-emcee"]


def files_in(path):
    """All that a store consists of."""
    if os.path.isfile(path):
        return [path]
    return sorted(os.path.join(at, name) for at, _, names in os.walk(path) for name in names)


@pytest.fixture(scope="module", params=CHECKED)
def stored(request, nursery, tmp_path_factory):
    """Stores of one kind, whole: what lies at a path, of which layout, and how many rows."""
    folder = tmp_path_factory.mktemp("stored")
    made = []
    for k, layout in enumerate(LAYOUTS):
        path, n = str(folder / f"{k}"), 150 if layout.width > 1000 else 2000
        nursery.start(fill, request.param, path, layout, n).finish()
        made.append((path, layout, n))
    return request.param, made


def test_one_byte(nursery, rounds, stored):
    name, made = stored

    def fault(random, folder):
        whole, layout, n = random.choice(made)
        path = str(folder / "store")
        (shutil.copytree if os.path.isdir(whole) else shutil.copyfile)(whole, path)
        file = random.choice(files_in(path))
        # As often in the first pages, where the store says what it is, as in all the rest.
        size = os.path.getsize(file)
        at = random.randrange(random.choice([size, min(size, 8192)]))
        with open(file, "r+b") as opened:
            opened.seek(at)
            old = opened.read(1)[0]
            opened.seek(at)
            opened.write(bytes([old ^ random.choice([1 << random.randrange(8), 255])]))
        child = nursery.start(read_damaged, name, path, layout, n)
        code = child.wait()
        assert code == 0, f"byte {at} of {os.path.basename(file)}, {size} bytes: code {code}"

    rounds.play(fault)
