"""Text of the data as it may be printed; without anything to import."""

__all__ = ["escaped"]


def escaped(text: str) -> str:
    """Escape as in Python what a terminal may take for more than text.

    That is control characters, and formatting characters, which change the order of what follows.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
