"""What goes wrong is said in one error that names the thing, and nothing is lost by it."""

import os
import re

import emcee
import h5py
import numpy as np
import pytest

import scripting
from drawstore.emcee import Backend, HDFBackend
from hdf_files import made_up_states, save, steps_in

SHAPE = (4, 2)
READS = ["iteration", "shape", "accepted", "random_state", "chain", "log_prob", "blobs"]
RESULTS = ["get_chain", "get_log_prob", "get_blobs", "get_last_sample", "get_autocorr_time"]


def state(**changes):
    (made_up,) = made_up_states(1, SHAPE)
    for name, value in changes.items():
        setattr(made_up, name, value)
    return made_up


ACCEPTED = np.ones(SHAPE[0], bool)


@pytest.fixture
def path(tmp_path):
    """A file with two runs and something that is none."""
    path = tmp_path / "a.h5"
    save(HDFBackend(path), 5, SHAPE)
    save(HDFBackend(path, name="second"), 6, SHAPE)
    with h5py.File(path, "a") as file:
        file["foreign/x"] = [1.0]
    return path


def read(backend, name):
    value = getattr(backend, name)
    return value() if callable(value) else value


def messages(backend, calls):
    """The errors of all calls; each has to fail."""
    said = []
    for call in calls:
        with pytest.raises(Exception, match=re.escape(backend.filename.name)) as error:
            read(backend, call)
        said.append((error.type, str(error.value)))
    return said


def test_no_file(tmp_path):
    backend = HDFBackend(tmp_path / "none.h5")
    assert not backend.initialized
    for kind, said in messages(backend, [*READS, "has_blobs", "open"]):
        assert kind is FileNotFoundError
    for kind, said in messages(backend, RESULTS):
        assert kind is AttributeError
        assert "run the sampler" in said
        assert "there is no file" in said
    for write in (lambda: backend.grow(1, None), lambda: backend.save_step(state(), ACCEPTED)):
        with pytest.raises(FileNotFoundError, match="call reset"):
            write()
    backend.flush()
    backend.close()
    assert list(tmp_path.iterdir()) == []


def test_no_such_group_lists_those_there(path):
    backend = HDFBackend(path, name="mmc")
    assert not backend.initialized
    for kind, said in messages(backend, [*READS, "has_blobs", *RESULTS]):
        assert kind is (AttributeError if "run the sampler" in said else KeyError)
        assert "no group 'mmc'; it has 'foreign', 'mcmc', 'second'" in said
    with pytest.raises(KeyError, match="no group 'mmc'"):
        backend.grow(1, None)
    assert steps_in(path) == 5


@pytest.mark.parametrize("name", ["foreign", "foreign/x"])
def test_a_group_that_is_not_emcees_is_left_alone(path, name):
    backend = HDFBackend(path, name=name)
    for kind, said in messages(backend, ["initialized", *READS, "has_blobs", *RESULTS]):
        assert kind is ValueError
        assert f"{name!r} in" in said
        assert "'chain'" in said
    for write in (lambda: backend.reset(*SHAPE), lambda: backend.grow(1, None)):
        with pytest.raises(ValueError, match=r"a\.h5' is not a chain of emcee"):
            write()
    with pytest.raises(ValueError, match="is not a chain of emcee"):
        emcee.EnsembleSampler(*SHAPE, np.sum, backend=backend)
    with h5py.File(path) as file:
        assert file["foreign/x"][0] == 1.0


def text(path):
    path.write_text("step,walker,x\n" * 300)


def cut_off(path):
    save(HDFBackend(path), 5, SHAPE)
    os.truncate(path, os.path.getsize(path) - 3000)


def hardly_begun(path):
    save(HDFBackend(path), 5, SHAPE)
    os.truncate(path, 200)


@pytest.mark.parametrize(
    ("make", "says"),
    [(text, "not an HDF5 file"), (cut_off, "is cut off"), (hardly_begun, "is cut off")],
)
def test_a_file_that_cannot_be_read_is_kept(tmp_path, make, says):
    path = tmp_path / "b.h5"
    make(path)
    before = path.read_bytes()
    backend = HDFBackend(path)
    for kind, said in messages(backend, ["initialized", *READS, "has_blobs", "open", *RESULTS]):
        assert issubclass(kind, OSError)
        assert says in said
    writes = [
        lambda: backend.reset(*SHAPE),
        lambda: backend.grow(1, None),
        lambda: backend.save_step(state(), ACCEPTED),
        lambda: backend.open("a"),
        lambda: emcee.EnsembleSampler(*SHAPE, np.sum, backend=backend),
    ]
    for write in writes:
        with pytest.raises(OSError, match=says):
            write()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_is_one_to_begin_in(tmp_path):
    path = tmp_path / "b.h5"
    path.touch()
    backend = HDFBackend(path)
    assert not backend.initialized
    for kind, said in messages(backend, [*READS, *RESULTS]):
        assert "is empty" in said
    with pytest.raises(OSError, match=r"is empty; reset the backend"):
        backend.grow(1, None)
    save(backend, 3, SHAPE)
    assert steps_in(path) == 3


def test_a_directory_in_place_of_the_file(tmp_path):
    (tmp_path / "d.h5").mkdir()
    backend = HDFBackend(tmp_path / "d.h5")
    for kind, said in messages(backend, ["initialized", *READS, *RESULTS, "open"]):
        assert kind is IsADirectoryError
    with pytest.raises(IsADirectoryError):
        backend.reset(*SHAPE)
    assert [p.name for p in tmp_path.iterdir()] == ["d.h5"]


def test_errors_leave_nothing_that_crashes_the_interpreter_at_its_end(tmp_path):
    (tmp_path / "d.h5").mkdir()
    (tmp_path / "text.h5").write_text("no HDF5 at all" * 1000)
    (tmp_path / "empty.h5").touch()
    code = """
        import os, sys
        from drawstore.emcee import HDFBackend
        os.chdir(sys.argv[1])
        for name in ("d.h5", "text.h5", "empty.h5", "none.h5"):
            backend = HDFBackend(name)
            for use in (lambda: backend.initialized, backend.get_chain, backend.open):
                try:
                    use()
                except (OSError, AttributeError) as error:
                    kept = error
        print("done")
    """
    assert scripting.run(code, tmp_path)[0] == "done\n"


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no/a\.h5' cannot be written.*Make the directory"):
        HDFBackend(tmp_path / "no" / "a.h5").reset(*SHAPE)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"file/a\.h5' cannot be written"):
        HDFBackend(tmp_path / "file" / "a.h5").reset(*SHAPE)


def test_read_only(path):
    backend = HDFBackend(path, read_only=True)
    writes = [
        lambda: backend.reset(*SHAPE),
        lambda: backend.grow(1, None),
        lambda: backend.save_step(state(), ACCEPTED),
        *(lambda mode=mode: backend.open(mode) for mode in ("a", "r+", "w", "w-", "x")),
    ]
    before = path.read_bytes()
    for write in writes:
        with pytest.raises(RuntimeError, match=r"a\.h5' was opened read-only.*read_only=False"):
            write()
    assert path.read_bytes() == before
    assert backend.get_chain().shape == (5, *SHAPE)


def test_a_closed_backend_can_be_used_again(path):
    backend = HDFBackend(path)
    backend.close()
    backend.close()
    save(backend, 2, SHAPE)
    assert backend.iteration == steps_in(path) == 7


WRONG_STEPS = {
    "chain shape": ({"coords": np.zeros((5, 2))}, ValueError, r"'chain' .*\(4, 2\).*\(5, 2\)"),
    "log_prob shape": ({"log_prob": np.zeros(5)}, ValueError, r"'log_prob' .*\(4,\).*\(5,\)"),
    "no log_prob": ({"log_prob": None}, ValueError, "'log_prob'"),
    "complex": ({"coords": np.zeros(SHAPE, complex)}, TypeError, "complex128.*'chain'"),
    "text": ({"log_prob": np.array(list("abcd"))}, TypeError, "<U1.*'log_prob'"),
    "objects": ({"log_prob": np.array([1, 2, 3, None])}, TypeError, "object.*'log_prob'"),
    "blobs": ({"blobs": np.zeros(4)}, ValueError, "unexpected blobs"),
}


@pytest.mark.parametrize("make", [HDFBackend, lambda _: Backend()], ids=["hdf", "memory"])
@pytest.mark.parametrize("wrong", WRONG_STEPS.values(), ids=WRONG_STEPS.keys())
def test_a_step_that_does_not_fit_is_refused_and_the_others_stay(tmp_path, make, wrong):
    changes, kind, says = wrong
    backend = make(tmp_path / "a.h5")
    backend.reset(*SHAPE)
    backend.grow(2, None)
    backend.save_step(state(), ACCEPTED)
    before = backend.get_chain().copy(), backend.accepted.copy()
    with pytest.raises(kind, match=says):
        backend.save_step(state(**changes), ACCEPTED)
    with pytest.raises(ValueError, match="acceptance size"):
        backend.save_step(state(), np.ones(5, bool))
    assert backend.iteration == 1
    np.testing.assert_array_equal(backend.get_chain(), before[0])
    np.testing.assert_array_equal(backend.accepted, before[1])
    backend.save_step(state(), ACCEPTED)
    assert backend.iteration == 2


@pytest.mark.parametrize("make", [HDFBackend, lambda _: Backend()], ids=["hdf", "memory"])
def test_steps_with_other_blobs_than_before_are_refused(tmp_path, make):
    backend = make(tmp_path / "a.h5")
    backend.reset(*SHAPE)
    backend.grow(2, np.zeros((4, 3)))
    backend.save_step(state(blobs=np.ones((4, 3))), ACCEPTED)
    for blobs, kind in (
        (None, ValueError),
        (np.ones((4, 2)), ValueError),
        (np.ones((4, 3), complex), TypeError),
    ):
        with pytest.raises(kind, match="blobs"):
            backend.save_step(state(blobs=blobs), ACCEPTED)
    for blobs in (None, np.zeros((4, 2))):
        with pytest.raises(ValueError, match="blobs"):
            backend.grow(2, blobs)
    np.testing.assert_array_equal(backend.get_blobs(), np.ones((1, 4, 3)))


@pytest.mark.parametrize("name", ["a/b/c", "/mcmc", "Größe von τ", "..", "x" * 300, "a b\tc"])
def test_names_of_any_kind(tmp_path, name):
    path = tmp_path / "a.h5"
    save(HDFBackend(path, name=name), 3, SHAPE)
    assert HDFBackend(path, name=name).iteration == 3
    assert emcee.backends.HDFBackend(path, name=name).get_chain().shape == (3, *SHAPE)
    other = "second" if "mcmc" in name else "mcmc"
    with pytest.raises(KeyError, match=f"no group '{other}'"):
        _ = HDFBackend(path, name=other).iteration


@pytest.mark.parametrize("name", ["", "/", ".", "//"])
def test_the_root_of_the_file_is_no_place_for_a_run(tmp_path, name):
    with pytest.raises(ValueError, match="needs a name"):
        HDFBackend(tmp_path / "a.h5", name=name).reset(*SHAPE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"dtype": object}, TypeError, "[Oo]bject"),
        ({"compression": "zip"}, ValueError, "zip"),
        ({"compression": "gzip", "compression_opts": 22}, ValueError, "22"),
    ],
    ids=str,
)
def test_options_that_hdf5_refuses_leave_no_file(tmp_path, options, kind, says):
    with pytest.raises(kind, match=says):
        HDFBackend(tmp_path / "a.h5", **options).reset(*SHAPE)
    assert list(tmp_path.iterdir()) == []


def test_options_that_make_no_sense(path):
    with pytest.raises(ValueError, match=r"flush_interval .* -1"):
        HDFBackend(path, flush_interval=-1)
    with pytest.raises(ValueError, match="-2"):
        HDFBackend(path).grow(-2, None)
    assert steps_in(path) == 5
