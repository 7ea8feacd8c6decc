"""All that is in an HDF5 file, copied to another one, and compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5ds, h5g, h5o, h5p, h5s, h5t
from numpy.typing import NDArray

from .rows import compact_chunks

__all__ = [
    "Filters",
    "address",
    "check_contents",
    "copy_attributes",
    "copy_contents",
    "create_rows",
    "write_values",
]

_BLOCK_BYTES = 8 * 2**20
_SCALES = ("DIMENSION_LIST", "REFERENCE_LIST")  # references that HDF5 keeps by itself

KeptRows = Callable[[h5py.Dataset], "int | None"]
Filters = str  # "gzip", "lzf" or "none"


def create_rows(
    parent: h5py.Group,
    name: str,
    kind: h5t.TypeID,
    shape: tuple[int, ...],
    filters: Filters,
    fill: h5p.PropDCID | None = None,
) -> h5py.Dataset:
    """Make a dataset that grows along its first axis, in chunks of whole rows.

    gzip finds a walker that stayed where it was in the row before, if that is no more than 32 KiB
    away; of longer rows the bytes are shuffled, which brings them closer. (Shuffled, 1,500 steps
    of 32 x 5 are a tenth longer; 200 steps of 256 x 20 are a third as long.)

    Parameters
    ----------
    parent : h5py.Group
    name : str
        Of the dataset in it.
    kind : TypeID
        Of its values.
    shape : tuple of int
    filters : {"gzip", "lzf", "none"}
        Checksums are kept besides. Values of any length lie past all filters.
    fill : PropDCID, optional
        Has the value of what is never written.
    """
    row_bytes = math.prod(shape[1:]) * kind.get_size()
    properties = h5p.create(h5p.DATASET_CREATE)
    rows, is_long = compact_chunks(row_bytes, shape[0])
    properties.set_chunk((rows, *(max(1, n) for n in shape[1:])))
    if not kind.dtype.hasobject:
        if filters != "none" and is_long:
            properties.set_shuffle()
        if filters == "gzip":
            properties.set_deflate(4)  # level 9 gains a thousandth
        elif filters == "lzf":
            properties.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)
        properties.set_fletcher32()
    if fill is not None and fill.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED:
        value = np.zeros((), dtype=kind.dtype)
        fill.get_fill_value(value)
        properties.set_fill_value(value)
    space = h5s.create_simple(shape, (h5s.UNLIMITED, *shape[1:]))
    return h5py.Dataset(h5d.create(parent.id, name.encode(), kind, space, properties))


def copy_contents(
    source: h5py.File, target: h5py.File, kept_rows: KeptRows, filters: Filters, only: str = ""
) -> None:
    """Copy everything: groups, datasets, attributes, and links of each kind.

    Parameters
    ----------
    source, target : h5py.File
        The target is empty.
    kept_rows : callable
        Gives how many rows of a dataset are kept, which is then made by `create_rows`; None
        for one that is copied as it is, with its chunks.
    filters : {"gzip", "lzf", "none"}
        Of the former.
    only : str
        The path of the only group that is wanted.

    Raises
    ------
    ValueError
        For what cannot be copied: references to objects, other than those of dimension scales.
    """
    copier = _Copier(source, target, kept_rows, filters, only)
    copier.group(source["/"], target["/"])
    copier.scales()


class _Copier:
    def __init__(
        self,
        source: h5py.File,
        target: h5py.File,
        kept_rows: KeptRows,
        filters: Filters,
        only: str,
    ) -> None:
        self._source, self._target = source, target
        self._kept_rows, self._filters, self._only = kept_rows, filters, only
        self._copied: dict[tuple[int, int], str] = {address(source): "/"}
        self._scaled: list[h5py.Dataset] = []

    def group(self, source: h5py.Group, target: h5py.Group) -> None:
        copy_attributes(source, target)
        for name in _wanted(source, self._only):
            link = source.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                target[name] = link
                continue
            found = source[name]
            path = f"{target.name.rstrip('/')}/{name}"
            first = self._copied.setdefault(address(found), path)
            if first != path:
                target[name] = self._target[first]
            elif isinstance(found, h5py.Group):
                made = h5g.create(target.id, name.encode(), gcpl=_ordered_like(found))
                self.group(found, h5py.Group(made))
            elif isinstance(found, h5py.Dataset):
                self._dataset(found, target, name)
            else:
                h5o.copy(source.id, name.encode(), target.id, name.encode())

    def _dataset(self, source: h5py.Dataset, parent: h5py.Group, name: str) -> None:
        rows = self._kept_rows(source)
        if rows is None:
            if _has_references(source.dtype):
                raise _of_references(source.name)
            h5o.copy(source.parent.id, source.name.encode(), parent.id, name.encode())
            made = parent[name]
            for key in _SCALES:
                if key in made.attrs:
                    h5a.delete(made.id, key.encode())
        else:
            kind = source.id.get_type()
            shape = rows, *source.shape[1:]
            properties = source.id.get_create_plist()
            made = create_rows(parent, name, kind, shape, self._filters, properties)
            for start, stop in _blocks(source, rows):
                write_values(made, start, _read(source, start, stop))
            copy_attributes(source, made)
        _check_attributes(source)
        if "DIMENSION_LIST" in source.attrs:
            self._scaled.append(source)

    def scales(self) -> None:
        """Attach the scales that the dimensions of datasets have."""
        for source in self._scaled:
            made = self._target[self._copied[address(source)]]
            for i in range(len(source.shape)):
                for scale in source.dims[i].values():
                    path = self._copied[address(scale)]
                    h5ds.attach_scale(made.id, self._target[path].id, i)


def check_contents(
    source: h5py.File, target: h5py.File, kept_rows: KeptRows, only: str = ""
) -> None:
    """Compare a copy with what was copied: every link, attribute and value, to the bit.

    Parameters
    ----------
    source, target, kept_rows, only
        As `copy_contents` takes them.

    Raises
    ------
    OSError
        Where they differ.
    """
    pairs = [(source["/"], target["/"])]
    seen = set()
    while pairs:
        old, new = pairs.pop()
        if address(old) in seen:
            continue
        seen.add(address(old))
        if type(old) is not type(new) or _attributes(old) != _attributes(new):
            raise _unlike(old.name)
        if isinstance(old, h5py.Group):
            names = _wanted(old, only)
            if names != list(new):
                raise _unlike(old.name)
            for name in names:
                link, copied = old.get(name, getlink=True), new.get(name, getlink=True)
                if type(link) is not type(copied) or vars(link) != vars(copied):
                    raise _unlike(f"{old.name}/{name}")
                if isinstance(link, h5py.HardLink):
                    pairs.append((old[name], new[name]))
        elif isinstance(old, h5py.Dataset):
            _check_values(old, new, kept_rows(old))


def _check_values(old: h5py.Dataset, new: h5py.Dataset, rows: int | None) -> None:
    shape = old.shape if rows is None else (rows, *old.shape[1:])
    if new.shape != shape or not old.id.get_type().equal(new.id.get_type()):
        raise _unlike(old.name)
    if shape == ():
        if _exact(old[()]) != _exact(new[()]):
            raise _unlike(old.name)
    elif shape is not None:
        for start, stop in _blocks(old, shape[0]):
            if _exact(_read(old, start, stop)) != _exact(_read(new, start, stop)):
                raise _unlike(old.name)


def _wanted(group: h5py.Group, only: str) -> list[str]:
    """Give what is in a group, on the way to the only wanted one, and in that."""
    if not only:
        return list(group)
    wanted = f"/{only}/"
    paths = ((name, f"{group.name.rstrip('/')}/{name}/") for name in group)
    return [name for name, path in paths if wanted.startswith(path) or path.startswith(wanted)]


def _ordered_like(group: h5py.Group) -> h5p.PropGCID:
    """Have a group keep the order of what is in it where another does.

    The other properties are none that can be kept: with those of one, HDF5 2.0 makes a group into
    which it then copies nothing.
    """
    old, new = group.id.get_create_plist(), h5p.create(h5p.GROUP_CREATE)
    new.set_link_creation_order(old.get_link_creation_order())
    new.set_attr_creation_order(old.get_attr_creation_order())
    return new


def address(found: Any) -> tuple[int, int]:
    """Tell one object from any other, whichever link leads to it."""
    info = h5o.get_info(found.id)
    return info.fileno, info.addr


def _blocks(dataset: h5py.Dataset, rows: int) -> Iterator[tuple[int, int]]:
    """Cut rows into blocks of whole chunks, of some MiB where that goes."""
    row_bytes = max(1, math.prod(dataset.shape[1:]) * dataset.dtype.itemsize)
    unit = dataset.chunks[0] if dataset.chunks else 1
    step = unit * max(1, _BLOCK_BYTES // (row_bytes * unit))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def _read(dataset: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
    """Read rows as bytes that nothing has converted, or as objects where they are of any length."""
    if dataset.dtype.hasobject:
        return dataset[start:stop]  # type: ignore[no-any-return]
    kind = dataset.id.get_type()
    values = np.empty((stop - start, *dataset.shape[1:]), dtype=f"V{kind.get_size()}")
    if values.size:
        dataset.id.read(*_selected(dataset, start, values), values, kind)
    return values


def write_values(dataset: h5py.Dataset, start: int, values: NDArray[Any]) -> None:
    """Write rows as bytes of the dataset's type, or as objects where they are of any length.

    Parameters
    ----------
    dataset : h5py.Dataset
    start : int
        Where the first of them goes.
    values : ndarray, shape (n, *dataset.shape[1:])
        Of any dtype of the size of the dataset's type; nothing is converted.
    """
    if values.dtype.hasobject:
        dataset[start : start + len(values)] = values
    elif values.size:
        dataset.id.write(*_selected(dataset, start, values), values, dataset.id.get_type())


def _selected(
    dataset: h5py.Dataset, start: int, values: NDArray[Any]
) -> tuple[h5s.SpaceID, h5s.SpaceID]:
    space = dataset.id.get_space()
    space.select_hyperslab((start, *(0 for _ in values.shape[1:])), values.shape)
    return h5s.create_simple(values.shape), space


def copy_attributes(source: Any, target: Any) -> None:
    """Copy the attributes of a group or a dataset, but for the references of dimension scales.

    Raises
    ------
    ValueError
        For other references.
    """
    _check_attributes(source)
    for name in source.attrs:
        if name not in _SCALES:
            old = source.attrs.get_id(name)
            kind, space = old.get_type(), old.get_space()
            made = h5a.create(target.id, name.encode(), kind, space)
            if space.get_simple_extent_type() == h5s.NULL:
                continue
            values, kind = _attribute(old)
            made.write(values, kind)


def _attribute(attribute: h5a.AttrID) -> tuple[NDArray[Any], h5t.TypeID | None]:
    if attribute.dtype.hasobject:
        values: NDArray[Any] = np.empty(attribute.shape, dtype=attribute.dtype)
        attribute.read(values)
        return values, None
    kind = attribute.get_type()
    values = np.empty(attribute.get_space().shape, dtype=f"V{kind.get_size()}")
    attribute.read(values, kind)
    return values, kind


def _attributes(found: Any) -> list[tuple[str, Any]]:
    """List attributes, so that they can be compared."""
    out = []
    for name in found.attrs:
        if name not in _SCALES:
            attribute = found.attrs.get_id(name)
            is_null = attribute.get_space().get_simple_extent_type() == h5s.NULL
            value = None if is_null else _exact(_attribute(attribute)[0])
            out.append((name, (attribute.get_type().encode(), attribute.shape, value)))
    return sorted(out, key=lambda item: item[0])


def _exact(value: Any) -> Any:
    """Give a value so that it is equal to what has the same bits, and to nothing else."""
    if isinstance(value, np.ndarray):
        if not value.dtype.hasobject:
            return value.tobytes()
        if value.dtype.names is not None:
            return [_exact(value[name]) for name in value.dtype.names]
        return [_exact(item) for item in value.flat]
    if isinstance(value, np.void) and value.dtype.names is not None:
        return [_exact(value[name]) for name in value.dtype.names]
    return value.tobytes() if isinstance(value, np.generic) else value


def _check_attributes(found: Any) -> None:
    for name in found.attrs:
        if name not in _SCALES and _has_references(found.attrs.get_id(name).dtype):
            raise _of_references(f"{found.name}, attribute {name}")


def _has_references(dtype: np.dtype[Any]) -> bool:
    if dtype.names is not None:
        return any(_has_references(dtype[name]) for name in dtype.names)
    of_any_length = h5py.check_vlen_dtype(dtype)
    if isinstance(of_any_length, np.dtype):
        return _has_references(of_any_length)
    return h5py.check_ref_dtype(dtype.base) is not None


def _of_references(name: str) -> ValueError:
    return ValueError(
        f"{name!r} holds references to other objects, which would point elsewhere in a copy; the "
        "file is left as it is"
    )


def _unlike(name: str) -> OSError:
    return OSError(f"the copy of {name!r} is not what was copied; the file is left as it is")
