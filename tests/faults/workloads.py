"""What the processes do that are killed: they append numbered rows until they die."""

import time

from stores import STORES

MOST_BYTES = 50_000_000  # of a store, where the kill comes late


def append_forever(name, path, ledger, width, pace=0.0, batch=1):
    """Append rows where the store ends, ``batch`` at once, a batch each ``pace`` seconds."""
    store = STORES[name]
    writer = store.resume(path, width)
    i = writer.count()
    while 8 * width * i < MOST_BYTES:
        ledger.begun = i + batch
        writer.append(i, batch)
        i += batch
        ledger.appended = i
        if pace:
            time.sleep(pace)
    ledger.said = 1
    time.sleep(60)


def append_and_close(name, path, ledger, width, n, batch=1):
    """Open, append and close again and again, without an end."""
    store = STORES[name]
    while True:
        writer = store.resume(path, width)
        i = writer.count()
        for i in range(i, i + n * batch, batch):
            ledger.begun = i + batch
            writer.append(i, batch)
            ledger.appended = i + batch
        writer.close()
        ledger.said += 1
