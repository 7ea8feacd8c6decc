"""Text of the data as it may be shown, and numbers in words; without anything to import."""

__all__ = ["escaped", "seconds_text", "size_text"]


def escaped(text: str) -> str:
    """Escape as in Python what a terminal may take for more than text.

    That is control characters, and formatting characters, which change the order of what follows.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def size_text(size: int) -> str:
    """Give a number of bytes in words."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("the last unit takes all")


def seconds_text(seconds: float) -> str:
    """Give a time in words."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
