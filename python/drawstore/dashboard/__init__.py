"""The pages of `drawstore serve`: runs as they are now, in a browser."""

from __future__ import annotations

import os
import webbrowser

__all__ = ["serve"]


def serve(
    where: str | os.PathLike[str],
    *,
    port: int | None = None,
    address: str = "127.0.0.1",
    token: str | None = None,
    open_browser: bool = False,
    niceness: int = 0,
) -> None:
    """Show the runs of a place in a browser, until Ctrl-C is pressed.

    Parameters
    ----------
    where : path-like
        A directory of runs, an HDF5 file, a directory with such places, or the URL of a database,
        as `drawstore.open` takes it; what is not there yet is waited for.
    port : int, optional
        By default 8778, or the next one that is free.
    address : str
        Where to listen; by default only this machine can ask. Any other address needs a token.
    token : str, optional
        What a browser has to know, by ``?token=`` in the address; "" makes one.
    open_browser : bool
        Whether to open the page.
    niceness : int
        By so much others go first, once it has begun: whoever samples on the same cores. Nothing on
        systems that do not know it.

    Raises
    ------
    ImportError
        Where Bokeh is not installed, which the extra ``dashboard`` brings.
    OSError
        Where the port is taken, or the address is not that of this machine.
    """
    try:
        import bokeh.plotting  # noqa: F401 - the first page would wait for it
        import tornado  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "the dashboard needs Bokeh: install it with `pip install 'drawstore[dashboard]'`"
        ) from error
    from .server import Server

    server = Server(where, port=port, address=address, token=token)
    print(f"{server.url}  (Ctrl-C ends it)", flush=True)
    if open_browser:
        webbrowser.open(server.url)
    if hasattr(os, "nice"):
        os.nice(niceness)
    server.run()
