"""Runs and chains are made, listed, gone on with and deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from drawstore.interface import Backend, Group
from drawstore.meta import RunMeta, make_meta

from .base import ContractBase, assert_same, begin, chain_of

__all__ = ["RunsContract"]

RIDS = ["plain", "", "a/b", "..", ".", "/", 'it\'s "so"', "two\nlines", "nul\0", "日本語", "%2F"]


def full_meta(rid: str = "") -> RunMeta:
    """A run with everything in it."""
    return make_meta(
        {"x": (np.float64, (3,), ("city",)), "n": (np.int64, ())},
        {"tune": (np.bool_, ())},
        coords={"city": np.array(["Ulm", "Zürich", "Łódź"])},
        constant_data={"weights": (np.array([1.0, 2.0, 3.0]), ("city",))},
        observed_data={"counts": (np.array([4, 5, 6], dtype=np.int8), ("city",))},
        attributes={"sampler": "made up", "version": 3.0, "flags": [True, None]},
        deterministics=("n",),
        rid=rid,
    )


def small_meta(rid: str) -> RunMeta:
    """A run of one variable of 80 bytes a draw."""
    return make_meta({"x": (np.float64, (10,))}, rid=rid)


class RunsContract(ContractBase):
    """What a backend says of its runs."""

    def handles(self, backend: Backend) -> list[Backend]:
        """Give the backend, and another handle on its store."""
        return [one for one in (backend, self.reopen(backend)) if one is not None]

    def test_a_new_backend_has_no_runs(self, backend: Backend) -> None:
        assert backend.get_runs() == []
        with pytest.raises(KeyError):
            backend.get_run("any")
        with pytest.raises(KeyError):
            backend.delete_run("any")

    def test_metadata_comes_back(self, backend: Backend) -> None:
        meta = full_meta("given")
        made = backend.init_run(meta)
        assert made.rid == "given"
        for handle in self.handles(backend):
            for run in (made, handle.get_run("given")):
                assert run.meta == meta
                assert list(run.variables) == ["x", "n"]
                assert list(run.sample_stats) == ["tune"]
                assert run.dims["x"] == ["city"]
                assert_same(run.coords["city"], np.array(["Ulm", "Zürich", "Łódź"]))
                assert_same(run.constant_data["weights"], np.array([1.0, 2.0, 3.0]))
                assert_same(run.observed_data["counts"], np.array([4, 5, 6], dtype=np.int8))

    def test_metadata_is_a_copy(self, backend: Backend) -> None:
        meta = full_meta("given")
        run = backend.init_run(meta)
        meta.variables[0].name = "changed"
        run.meta.variables[0].name = "changed, too"
        assert [one.meta.variables[0].name for one in (run, backend.get_run("given"))] == ["x"] * 2

    def test_an_empty_rid_becomes_a_fresh_one(self, backend: Backend) -> None:
        meta = full_meta()
        rids = {backend.init_run(meta).rid for _ in range(5)}
        assert len(rids) == 5
        assert "" not in rids
        assert meta.rid == ""
        for rid in rids:
            run = backend.get_run(rid)
            assert run.meta.rid == run.rid == rid

    def test_a_rid_is_given_once(self, backend: Backend) -> None:
        backend.init_run(full_meta("once"))
        for handle in self.handles(backend):
            with pytest.raises(ValueError, match="once"):
                handle.init_run(small_meta("once"))
        assert [info.rid for info in backend.get_runs()] == ["once"]
        assert list(backend.get_run("once").variables) == ["x", "n"]

    def test_rids_may_have_any_characters(self, backend: Backend) -> None:
        rids = [backend.init_run(full_meta(rid)).rid for rid in RIDS]
        assert [rid for rid, given in zip(rids, RIDS, strict=True) if given] == RIDS[:1] + RIDS[2:]
        for rid in rids:
            chain = backend.get_run(rid).init_chain(0)
            chain.append({"x": [1.0, 2, 3], "n": rids.index(rid)})
            chain.close()
        for handle in self.handles(backend):
            assert [info.rid for info in handle.get_runs()] == rids
            for i, rid in enumerate(rids):
                assert chain_of(handle, rid, 0).get_draws("n").tolist() == [i]

    def test_runs_are_listed(self, backend: Backend) -> None:
        before = datetime.now(UTC) - timedelta(seconds=1)
        rids = [f"run {i}" for i in (3, 1, 2)]
        for i, rid in enumerate(rids):
            run = backend.init_run(small_meta(rid))
            for number in range(i):
                chain = run.init_chain(2 * number)
                chain.extend({"x": np.zeros((5 + number, 10))})
                chain.close()
        for handle in self.handles(backend):
            infos = handle.get_runs()
            assert [info.rid for info in infos] == rids

            assert infos == handle.get_runs()
            for info, chains in zip(infos, ({}, {0: 5}, {0: 5, 2: 6}), strict=True):
                assert info.created_at.tzinfo is not None
                assert info.created_at.utcoffset() == timedelta(0)
                assert before <= info.created_at <= datetime.now(UTC)
                run = handle.get_run(info.rid)
                assert run.created_at == info.created_at
                assert isinstance(info.size, int)
                assert isinstance(run.size, int)
                assert info.chains == chains
                assert bool(info.chains) <= bool(info.size)
                assert bool(info.chains) <= bool(run.size)

    def test_an_unknown_run_is_told_from_those_there_are(self, backend: Backend) -> None:
        for rid in ("here", "there"):
            backend.init_run(full_meta(rid))
        with pytest.raises(KeyError) as raised:
            backend.get_run("nowhere")
        for rid in ("nowhere", "here", "there"):
            assert rid in str(raised.value)

    def test_a_deleted_run_is_gone(self, backend: Backend) -> None:
        for rid in ("keep", "drop"):
            with backend.init_run(full_meta(rid)).init_chain(0) as chain:
                chain.append({"x": [1.0, 2, 3], "n": 7})
        backend.delete_run("drop")
        for handle in self.handles(backend):
            assert [info.rid for info in handle.get_runs()] == ["keep"]
            assert chain_of(handle, "keep", 0).get_draws("n").tolist() == [7]
            with pytest.raises(KeyError):
                handle.get_run("drop")
            with pytest.raises(KeyError):
                handle.delete_run("drop")
        assert backend.init_run(full_meta("drop")).get_chains() == []

    # Chains.

    def test_chains_are_given_in_order(self, backend: Backend) -> None:
        run = backend.init_run(full_meta("ours"))
        numbers = (7, 0, 2_000_000, 3)
        chains = {number: run.init_chain(number) for number in numbers}
        for number, chain in chains.items():
            assert (chain.rid, chain.chain_number) == ("ours", number)
            chain.append({"x": [1.0, 2, 3], "n": number})
        for one in (run, backend.get_run("ours")):
            assert [chain.chain_number for chain in one.get_chains()] == sorted(numbers)
            assert [chain.get_draws("n").tolist() for chain in one.get_chains()] == [
                [number] for number in sorted(numbers)
            ]
        assert [chain is chains[chain.chain_number] for chain in run.get_chains()] == [True] * 4
        run.close()
        for chain in chains.values():
            with pytest.raises(RuntimeError, match="clos"):
                chain.append({"x": [1.0, 2, 3], "n": 0})
        for handle in self.handles(backend):
            again = handle.get_run("ours").get_chains()
            assert [chain.chain_number for chain in again] == sorted(numbers)
            assert [len(chain) for chain in again] == [1] * 4

    def test_a_chain_is_begun_once(self, backend: Backend) -> None:
        run = backend.init_run(full_meta())
        chain = run.init_chain(1)
        chain.append({"x": [1.0, 2, 3], "n": 5})
        with pytest.raises(ValueError, match="1"):
            run.init_chain(1)
        chain.close()
        with pytest.raises(ValueError, match="1"):
            run.init_chain(1)
        with pytest.raises(ValueError, match="-1"):
            run.init_chain(-1)
        assert [len(chain) for chain in run.get_chains()] == [1]

    def test_a_chain_is_gone_on_with(self, backend: Backend) -> None:
        chain = begin(
            backend,
            {"x": (np.float64, (2,)), "r": (np.int64, (-1,)), "t": ("str", ())},
            {"s": (np.int64, ())},
        )
        rid, total = chain.rid, 0
        for _ in range(4):
            for _ in range(7):
                stats = {"s": total} if total % 2 else {}
                ragged = np.full(total % 3, total)
                draw: dict[str, Any] = {"x": [total, -total], "r": ragged, "t": f"{total}"}
                chain.append(draw, stats)
                total += 1
            chain.close()
            run = (self.reopen(backend) or backend).get_run(rid)
            chain = run.init_chain(0, resume=True)
            assert len(chain) == total
        for handle in self.stored(backend, chain):
            numbers = np.arange(total)
            assert_same(handle.get_draws("x"), np.stack([numbers, -numbers], axis=1).astype(float))
            assert [list(row) for row in handle.get_draws("r")] == [[i] * (i % 3) for i in numbers]
            assert handle.get_draws("t").tolist() == [str(i) for i in numbers]
            assert np.ma.getmaskarray(handle.get_stats("s")).tolist() == [
                i % 2 == 0 for i in numbers
            ]

    def test_resuming_a_chain_that_is_not_there_begins_it(self, backend: Backend) -> None:
        chain = backend.init_run(full_meta()).init_chain(0, resume=True)
        chain.append({"x": [1.0, 2, 3], "n": 5})
        assert len(chain) == 1

    def test_a_closed_chain_is_read_and_not_appended_to(self, backend: Backend) -> None:
        chain = begin(backend, {"x": (np.float64, ())})
        chain.append({"x": 1.5})
        chain.close()
        chain.close()
        with pytest.raises(RuntimeError, match="clos"):
            chain.append({"x": 2.5})
        with pytest.raises(RuntimeError, match="clos"):
            chain.extend({"x": [2.5]})
        assert len(chain) == 1
        assert_same(chain.get_draws("x"), np.array([1.5]))
        assert_same(chain.get_draws_at(0)["x"], np.array(1.5))
        chain.flush()

    def test_with_blocks_close(self, backend: Backend) -> None:
        with (
            backend,
            backend.init_run(make_meta({"x": (np.float64, ())})) as run,
            run.init_chain(0) as chain,
        ):
            chain.append({"x": 1.5})
            run.flush()
            chain.flush(sync=True)
        with pytest.raises(RuntimeError, match="clos"):
            chain.append({"x": 2.5})
        assert_same(chain.get_draws("x"), np.array([1.5]))
        backend.close()

    def test_an_announcement_changes_nothing_to_see(self, backend: Backend) -> None:
        chain = begin(backend, {"x": (np.float64, (4,))})
        chain.announce(1000)
        assert len(chain) == 0
        chain.announce(10)
        chain.extend({"x": np.ones((50, 4))})
        chain.announce(20)
        for handle in self.stored(backend, chain):
            assert_same(handle.get_draws("x"), np.ones((50, 4)))

    def test_a_flushed_chain_is_seen_by_others(self, backend: Backend) -> None:
        chain = begin(backend, {"x": (np.float64, ())})
        for total in (3, 6, 9):
            chain.extend({"x": np.arange(total - 3, total, dtype=float)})
            chain.flush()
            for handle in self.handles(backend):
                seen = chain_of(handle, chain.rid, 0)
                assert len(seen) == total
                assert_same(seen.get_draws("x"), np.arange(total, dtype=float))
                assert handle.get_runs()[0].chains == {0: total}

    # Groups.

    def test_groups_are_kept(self, backend: Backend) -> None:
        run = backend.init_run(full_meta("ours"))
        assert run._load_groups() == {}
        group = Group(
            values={"x": np.arange(12.0).reshape(2, 3, 2), "a/b": np.array([[True], [False]])},
            dims={"x": ("chain", "draw", "city"), "a/b": ("chain", "draw")},
            coords={"city": np.array(["Ulm", "Zürich"])},
            attrs={"made by": "hand", "n": 3},
        )
        empty = Group(values={}, dims={})
        run._save_group("log_likelihood", empty)
        run._save_group("log_likelihood", group)
        run._save_group("odd / name", empty)
        for handle in self.handles(backend):
            groups = handle.get_run("ours")._load_groups()
            assert set(groups) == {"log_likelihood", "odd / name"}
            got = groups["log_likelihood"]
            assert got.dims == group.dims
            assert got.attrs == group.attrs
            assert got.values.keys() == group.values.keys()
            for name, values in group.values.items():
                assert_same(got.values[name], values)
            assert_same(got.coords["city"], group.coords["city"])
            assert groups["odd / name"].values == {}
