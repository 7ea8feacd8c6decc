"""Every backend is held to the contract."""

from drawstore import FileBackend, HDF5Backend, MemoryBackend
from drawstore.testing import BackendContract


class TestMemory(BackendContract):
    def make_backend(self, path):
        return MemoryBackend()


class TestFile(BackendContract):
    def make_backend(self, path):
        return FileBackend(path / "runs")

    def reopen(self, backend):
        return FileBackend(backend.directory)


class TestFileWritten(TestFile):
    def make_backend(self, path):
        return FileBackend(path / "runs", store="written")


class TestHDF5(BackendContract):
    def make_backend(self, path):
        return HDF5Backend(path / "runs.h5")

    def reopen(self, backend):
        return HDF5Backend(backend.filename)


class TestHDF5Compressed(BackendContract):
    def make_backend(self, path):
        return HDF5Backend(path / "runs.h5", compression="gzip", flush_interval=0.01, journal=False)

    def reopen(self, backend):
        return HDF5Backend(backend.filename, compression="gzip", journal=False)
