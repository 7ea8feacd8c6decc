"""HDF5 files: atomic updates, locks, and rows in and out of datasets."""
