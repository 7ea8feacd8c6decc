"""The stores that faults are tried on, in one form: opened, filled with numbered rows, checked."""

import rows

from drawstore import FileBackend


class ChainWriter:
    """Appends numbered rows to a chain."""

    def __init__(self, chain, width):
        self.chain = chain
        self.width = width

    def count(self):
        return len(self.chain)

    def append(self, i, batch=1):
        if batch == 1:
            rows.append(self.chain, i, self.width)
        else:
            rows.extend(self.chain, i, batch, self.width)

    def sync(self):
        self.chain.flush(sync=True)

    def close(self):
        self.chain.close()


class Files:
    """A run of one chain in files."""

    def __init__(self, tail):
        self.tail = tail

    def create(self, path, width):
        FileBackend(path).init_run(rows.meta(width)).init_chain(0).close()

    def resume(self, path, width):
        run = FileBackend(path, tail=self.tail).get_run(rows.RID)
        return ChainWriter(run.init_chain(0, resume=True), width)

    def check(self, path, width):
        """Check all rows, as a reader and as the next writer find them; returns their number."""
        chain = FileBackend(path, "r").get_run(rows.RID).get_chains()[0]
        n = rows.check(chain, width)
        writer = self.resume(path, width)
        assert rows.check(writer.chain, width) == n
        writer.append(n)
        writer.close()
        assert rows.check(chain, width) == n + 1
        return n


STORES = {"files-mapped": Files("mapped"), "files-written": Files("written")}
