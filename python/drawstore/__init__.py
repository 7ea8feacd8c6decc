"""The storage layer for MCMC draws.

`drawstore.emcee` has backends for emcee's samplers, in memory and in HDF5 files. This module alone
imports neither emcee nor h5py.
"""

from importlib.metadata import version as _version

__all__ = ["__version__"]

__version__ = _version("drawstore")
