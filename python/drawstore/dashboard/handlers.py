"""What is answered to requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
import tornado.web

from ..reports.head import reason
from ..reports.place import UNREADABLE
from ..text import escaped
from .access import HEADERS, Access, Refusal
from .app import App, Unknown
from .themes import THEMES
from .wire import json_bytes

__all__ = ["routes"]

_HERE = Path(__file__).parent


def routes(app: App, access: Access) -> list[Any]:
    """Give the addresses that are known, and who answers there."""
    from bokeh.util.paths import static_path

    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    given = {"app": app, "access": access, "pages": pages}
    files = {"access": access, "pages": pages}
    key = "([0-9a-f]{24})"
    return [
        (r"/", _Runs, given),
        (rf"/run/{key}", _Run, given),
        (r"/api/runs", _ApiRuns, given),
        (rf"/api/run/{key}", _ApiRun, given),
        (rf"/api/run/{key}/names", _ApiNames, given),
        (rf"/api/run/{key}/facts", _ApiFacts, given),
        (rf"/api/run/{key}/table", _ApiTable, given),
        (rf"/api/run/{key}/figure/([a-z]+)", _ApiFigure, given),
        (rf"/api/run/{key}/data/([a-z]+)", _ApiData, given),
        (r"/static/(.*)", _File, {**files, "path": str(_HERE / "static")}),
        (r"/bokeh/(.*)", _File, {**files, "path": str(Path(static_path()) / "js")}),
        (r".*", _Nothing, given),
    ]


class _Handler(tornado.web.RequestHandler):
    """Lets nobody in who may not."""

    _access: Access
    _pages: jinja2.Environment

    def initialize(self, access: Access, pages: jinja2.Environment, **given: Any) -> None:
        self._access, self._pages = access, pages
        self._app: App | None = given.get("app")

    @property
    def app(self) -> App:
        assert self._app is not None
        return self._app

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def prepare(self) -> None:
        if self.request.method not in ("GET", "HEAD"):
            raise Refusal(405, "only GET and HEAD are answered here")
        self._access.check(self.request.path, self.request.headers)
        if self._access.token is None:
            return
        cookie = f"drawstore-{self.settings['port']}"  # browsers give it to all ports
        given = self.get_query_argument("token", None, strip=False)
        if given is not None and self._access.is_token(given):
            self.set_cookie(cookie, self._access.pass_, httponly=True, samesite="Strict", path="/")
            rest = [
                (k, v) for k, vs in self.request.query_arguments.items() for v in vs if k != "token"
            ]
            self.redirect(
                "/" + self.request.path.lstrip("/") + ("?" + urlencode(rest) if rest else ""),
                status=303,
            )
        elif given is not None or not self._access.is_pass(self.get_cookie(cookie)):
            raise Refusal(401, "a token is needed: open the address that `drawstore serve` printed")

    def head(self, *words: str) -> Any:
        """Answer as GET, of which only the head is sent."""
        return self.get(*words)

    def show(self, template: str, **values: Any) -> None:
        """Answer with a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        page = self._pages.get_template(template).render(**values)
        self.finish(page.encode("utf-8", "backslashreplace"))

    def give(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json_bytes(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        text = self._reason
        if isinstance(error, Refusal):
            status_code, text = error.status, error.reason
            self.set_status(status_code)
        elif isinstance(error, Unknown):
            status_code, text = 404, "there is no such run here"
            self.set_status(404)
        elif isinstance(error, UNREADABLE):
            text = reason(error)
        if self.request.path.startswith("/api/"):
            self.give({"error": escaped(text)}, status_code)
        else:
            self.show("error.html", status=status_code, text=escaped(text))

    def log_exception(self, *exc_info: Any) -> None:
        if exc_info[0] is None or not issubclass(exc_info[0], (Refusal, Unknown, *UNREADABLE)):
            super().log_exception(*exc_info)


class _Nothing(_Handler):
    def get(self) -> None:
        raise tornado.web.HTTPError(404)


class _Runs(_Handler):
    def get(self) -> None:
        self.show("runs.html")


class _Run(_Handler):
    def get(self, key: str) -> None:
        self.show("run.html", key=key)


class _ApiRuns(_Handler):
    async def get(self) -> None:
        self.give(await self.app.runs())


class _Asking(_Handler):
    """What is asked with a query."""

    def numbers(self, name: str) -> list[int]:
        """Give whole numbers."""
        try:
            return [int(text) for text in self.get_query_arguments(name)]
        except ValueError:
            raise Refusal(400, f"{name}= is a whole number") from None

    def number(self, name: str) -> int | None:
        """Give a whole number; None where it is not given."""
        given = self.numbers(name)
        return given[-1] if given else None


class _ApiRun(_Asking):
    async def get(self, key: str) -> None:
        self.give(await self.app.run(key, self.numbers("parameter")))


class _ApiNames(_Handler):
    async def get(self, key: str) -> None:
        self.give(await self.app.names(key))


class _ApiFacts(_Handler):
    async def get(self, key: str) -> None:
        self.give(await self.app.facts(key))


class _ApiTable(_Asking):
    async def get(self, key: str) -> None:
        self.give(await self.app.table(key, self.numbers("parameter")))


class _ApiFigure(_Asking):
    async def get(self, key: str, name: str) -> None:
        theme = self.get_query_argument("theme", "light")
        if theme not in THEMES:
            raise Refusal(400, "theme= is light or dark")
        self.give(await self.app.figure(key, name, self.numbers("parameter"), theme))


class _ApiData(_Asking):
    async def get(self, key: str, name: str) -> None:
        width = self.number("width") or 800
        self.give(
            await self.app.data(
                key,
                name,
                self.numbers("parameter"),
                self.number("start"),
                self.number("stop"),
                max(1, width),
            )
        )


class _File(_Handler, tornado.web.StaticFileHandler):
    """Files of the page, and BokehJS."""

    def initialize(self, path: str, **given: Any) -> None:  # type: ignore[override]
        _Handler.initialize(self, **given)
        tornado.web.StaticFileHandler.initialize(self, path)

    def head(self, *words: str) -> Any:
        return tornado.web.StaticFileHandler.head(self, *words)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        try:
            return super().validate_absolute_path(root, absolute_path)
        except ValueError:  # a null byte
            raise tornado.web.HTTPError(404) from None

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-cache")
