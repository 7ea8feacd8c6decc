"""`drawstore rescue` of files with damage at random places."""

import random

import pytest

from drawstore.rescue import rescue_with
from rescue_files import STEPS, check_stretches, steps_of

ROUNDS = 100


def flipped(chance, data):
    at = chance.randrange(len(data))
    data[at] ^= 1 << chance.randrange(8)


def flipped_in_front(chance, data):
    at = chance.randrange(min(4096, len(data)))
    data[at] = chance.randrange(256)


def cut_off(chance, data):
    del data[chance.randrange(len(data)) :]


def zeroed(chance, data):
    at = chance.randrange(len(data)) // 512 * 512
    data[at : at + 4096] = bytes(len(data[at : at + 4096]))


def garbled(chance, data):
    for _ in range(20):
        flipped(chance, data)


DAMAGES = (flipped, flipped, flipped_in_front, cut_off, zeroed, garbled)


@pytest.mark.parametrize("is_checked", [True, False])
def test_damage(is_checked, request, reader, checked, of_emcee, tmp_path):
    """Nothing crashes, and where there are checksums what is saved is what was there."""
    rounds = request.config.getoption("rounds") or ROUNDS
    whole = checked if is_checked else of_emcee
    data = whole.read_bytes()
    path, to = tmp_path / "chain.h5", tmp_path / "saved.h5"
    saved = 0
    for k in range(rounds):
        chance = random.Random(f"{is_checked} {k}")
        broken = bytearray(data)
        chance.choice(DAMAGES)(chance, broken)
        path.write_bytes(broken)
        to.unlink(missing_ok=True)
        try:
            done = rescue_with(reader, path, to)
        except OSError:
            assert not to.exists()
            continue
        if is_checked:
            saved += check_stretches(done, checked)
        elif done.runs[0].stretches:
            saved += len(steps_of(to, done.runs[0].stretches[0].name)[0])
        assert path.read_bytes() == broken
    assert saved > rounds * (STEPS if is_checked else 300) / 2
