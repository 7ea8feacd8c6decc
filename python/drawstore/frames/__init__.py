"""Data frames, in Parquet and Arrow IPC files: a row for each draw of each chain."""
