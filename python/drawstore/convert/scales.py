"""The variables of a netCDF file as datasets of HDF5, and the dimensions that they share."""

from __future__ import annotations

import h5py
import numpy as np
from h5py import h5d, h5i, h5o, h5s

from drawstore.hdf5.contents import copy_attributes

from .tree import Sampled

__all__ = ["make_like"]

_REFERRER = np.dtype(
    {"names": ["dataset", "dimension"], "formats": [h5py.ref_dtype, "<u4"], "itemsize": 16}
)


def make_like(source: h5py.Group, target: h5py.Group, group: Sampled) -> None:
    """Make what a group has, with room for all draws; what has no draws is copied.

    HDF5's own way to attach a dimension scale rewrites for each variable the list of all those that
    have it; here each list is written once.

    Parameters
    ----------
    source : Group
        With a variable of each kind, of one draw.
    target : Group
        Empty.
    group : Sampled
    """
    copy_attributes(source, target)
    kinds = group.kinds()
    # Beside them there may be types that have a name, as that of complex numbers.
    found = {name: item for name, item in source.items() if isinstance(item, h5py.Dataset)}
    scales = {
        name: [dim[0].name.rpartition("/")[2] for dim in item.dims if len(dim)]
        for name, item in found.items()
    }
    dims: dict[str, list[str]] = {}
    for name in [*kinds, *(name for name in found if name not in kinds)]:
        like = kinds.get(name, name)
        dims[name] = scales[like]
        _make(target, name, found[like], dims[name] or [name], group)
    references = {dim: target[dim].ref for named in dims.values() for dim in named}
    referrers: dict[str, list[tuple[h5py.Reference, int]]] = {dim: [] for dim in references}
    for name, named in dims.items():
        if named:
            dataset = target[name]
            for axis, dim in enumerate(named):
                referrers[dim].append((dataset.ref, axis))
            _refer(dataset, [references[dim] for dim in named])
    for dim, rows in referrers.items():
        listed = np.array(rows, dtype=_REFERRER)
        target[dim].attrs.create("REFERENCE_LIST", listed, dtype=_REFERRER)


def _make(
    target: h5py.Group, name: str, like: h5py.Dataset, dims: list[str], group: Sampled
) -> None:
    """Make a dataset like another one; where it has no draws, with its values."""
    kind, properties = like.id.get_type(), like.id.get_create_plist()
    has_draws = name in group.dataset.variables and "draw" in dims
    shape = like.shape
    if has_draws:
        shape = tuple(
            group.n_draws if dim == "draw" else n for dim, n in zip(dims, shape, strict=True)
        )
        chunks = group.chunks(name)
        if 0 not in shape:
            properties.set_chunk(chunks + shape[len(chunks) :])  # a dimension of characters
    if kind.committed():
        path = h5i.get_name(kind)
        if path not in target.file:
            h5o.copy(like.file.id, path, target.file.id, path)
        kind = target.file[path].id
    space = h5s.create_simple(shape)
    made = h5py.Dataset(h5d.create(target.id, name.encode(), kind, space, properties))
    copy_attributes(like, made)
    if not has_draws and like.size:
        made[...] = like[...]


def _refer(dataset: h5py.Dataset, scales: list[h5py.Reference]) -> None:
    """Write which scales a dataset has, one for each dimension."""
    references = np.empty(len(scales), object)
    for axis, scale in enumerate(scales):
        references[axis] = np.array([scale], h5py.ref_dtype)
    dtype = h5py.vlen_dtype(h5py.ref_dtype)
    dataset.attrs.create("DIMENSION_LIST", references, dtype=dtype)
