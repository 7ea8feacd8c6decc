"""The pages of `drawstore serve`, in a browser, on a run that is being written meanwhile."""

import json
import time
from contextlib import contextmanager

import numpy as np
import pytest

import browser as chromium
import drawstore
import drawstore.emcee
from browser import errors, screen, text, wait_for
from cli_runs import fill, save
from drawstore.dashboard.looks import key_of
from drawstore.dashboard.server import Server

BEL = "<img src=x onerror=\"window.hit='img'\"><script>window.hit='script'</script>"
HOSTILE = [
    BEL,
    "</script><script>window.hit='end'</script>",
    "\"'><svg onload=window.hit='svg'>",
    "$$\\href{javascript:window.hit='tex'}{x}$$ \\(x\\) $x$",
    "{{ 7 * 7 }} {% raw %} ${window.hit='template'}",
    "javascript:window.hit='url'",
    "\u202eevil\u202c \u2066isolated\u2069 \u05d0\u05d1\u05d2",
    "two\nlines\r\tand a null\x00",
    "long " * 2000,
    "@keyframes x{} </style><style>*{display:none}</style>",
    "<b>@name</b> @{name} $name",
]

DRAWN = "document.querySelector('.canvas[data-draws]') !== null"  # whether a figure has its data


@pytest.fixture(scope="module")
def driven():
    with chromium.browser() as driven:
        yield driven


@pytest.fixture
def page(driven):
    """The browser; whoever used it has to have left no complaint, and nothing that ran."""
    screen(driven, 1280, 900)
    errors(driven)
    yield driven
    assert driven.execute_script("return window.hit") is None
    assert errors(driven) == []


def normal(rng, n):
    """Draws of two variables, and stats."""
    draws = {"slope": rng.normal(size=n), "effect": rng.normal(size=(n, 3))}
    return draws, {"diverging": np.zeros(n, dtype=bool)}


@contextmanager
def serving(page, place):
    """A server, which the browser leaves before it ends."""
    with Server(place, port=0) as server:
        yield server
        page.get("about:blank")


class Growing:
    """A run of two chains that grows when it is told to."""

    def __init__(self, path, rid="growing"):
        self._rng = np.random.default_rng(1)
        self._backend = drawstore.FileBackend(path)
        meta = drawstore.make_meta(
            {"slope": (float, ()), "effect": (float, (3,))}, {"diverging": (bool, ())}, rid=rid
        )
        self.run = self._backend.init_run(meta)
        self._chains = [self.run.init_chain(i) for i in range(2)]

    def grow(self, n):
        for chain in self._chains:
            chain.extend(*normal(self._rng, n))

    def close(self):
        self.run.close()


def addressed(server, path, rid):
    return f"{server.url}run/{key_of(str(path), rid)}"


def test_a_run_that_is_being_written(page, tmp_path):
    growing = Growing(tmp_path / "store")
    growing.grow(50)
    with Server(tmp_path, port=0) as server:
        page.get(server.url)
        wait_for(page, "document.querySelector('#rows tr') !== null")
        assert "growing" in text(page, "#rows")
        assert "running" in text(page, "#rows .state")
        growing.grow(450)
        began = time.monotonic()
        wait_for(page, "document.querySelector('#rows').innerText.includes('1,000')")
        assert time.monotonic() - began < 10
        page.execute_script("document.querySelector('#rows a').click()")
        wait_for(page, "document.querySelector('#sentence')?.innerText.length > 5")
        assert text(page, "#rid") == "growing"
        wait_for(page, DRAWN)
        wait_for(page, "document.querySelector('#facts-short').innerText.includes('1,000')")
        growing.grow(12_000)
        wait_for(page, "document.querySelector('#facts-short').innerText.includes('25,000')")
        wait_for(page, "document.querySelector('#answer').classList.contains('good')")
        assert text(page, "#sentence").endswith("It may be stopped.")
        page.execute_script("document.getElementById('summary').scrollIntoView()")
        wait_for(page, "document.querySelectorAll('#table-rows tr').length === 4")
        page.execute_script("document.getElementById('about').scrollIntoView()")
        wait_for(page, "document.getElementById('facts').innerText.includes('effect: float64')")
        growing.close()
        wait_for(page, "document.querySelector('#state').innerText === 'ended'")
        drawstore.FileBackend(tmp_path / "store").delete_run("growing")
        wait_for(page, "document.querySelector('#answer').innerText.includes('cannot be read')")
    wait_for(page, "!document.getElementById('gone').hidden")
    assert "does not answer" in text(page, "#gone")
    assert all("ERR_CONNECTION_REFUSED" in message for message in errors(page))


LINE = """(() => {
  const model = Bokeh.documents.map((d) => d.get_model_by_name("line-0-1")).find((m) => m);
  return model && [...model.data.draw].map((draw, i) => [draw, model.data.value[i]]);
})()"""  # of the first parameter and the second chain, as it is drawn
MOVE = """
const range = Bokeh.documents.map((d) => d.get_model_by_name("draws")).find((m) => m);
range.setv({ start: arguments[0], end: arguments[1] });
"""


def test_traces_are_the_draws(page, tmp_path):
    growing = Growing(tmp_path)
    growing.grow(400)
    chain = growing.run.get_chains()[1]

    def drawn(n):
        wait_for(page, f"document.querySelector('#traces .canvas')?.dataset.draws === '{n}'")
        return np.array(page.execute_script(f"return {LINE}"))

    with serving(page, tmp_path) as server:
        page.get(addressed(server, tmp_path, "growing"))
        at, values = drawn(400).T
        np.testing.assert_array_equal(at, np.arange(400))
        np.testing.assert_array_equal(values, chain.get_draws("slope"))
        growing.grow(7)
        np.testing.assert_array_equal(drawn(407)[-1], [406, chain.get_draws("slope")[-1]])
        growing.grow(100_000)
        at, values = drawn(100_407).T
        assert len(at) < 20_000
        slope = chain.get_draws("slope")
        assert (values.min(), values.max()) == (slope.min(), slope.max())
        # Whoever zooms sees each draw there, and stays there while the run grows.
        page.execute_script(MOVE, 5000, 5020)
        wait_for(page, f"{LINE}.some(([draw]) => draw === 5007)")
        growing.grow(100)
        seen = dict(drawn(100_507).tolist())
        assert [seen[i] for i in range(5000, 5021)] == slope[5000:5021].tolist()
        growing.close()


def test_hostile_names_are_text(page, tmp_path):
    place = tmp_path / "<img src=x onerror=window.hit=1>"
    unreadable = place / "\udcff<b>" / "run"
    unreadable.mkdir(parents=True)
    (unreadable / "run.meta").touch()
    store = place / BEL.replace("/", "%")
    backend = drawstore.FileBackend(store)
    variables = dict.fromkeys(HOSTILE, (float, ()))
    meta = drawstore.make_meta(
        variables,
        {f"stat {BEL}": (bool, ())},
        coords={BEL: [BEL]},
        attributes={BEL: BEL, "model": HOSTILE[6]},
        rid=BEL,
    )
    run = backend.init_run(meta)
    rng = np.random.default_rng(1)
    for number in range(2):
        with run.init_chain(number) as chain:
            stats = {f"stat {BEL}": np.zeros(200, dtype=bool)}
            chain.extend({name: rng.normal(size=200) for name in HOSTILE}, stats)
    for name in HOSTILE[1:]:
        fill(backend, drawstore.make_meta({"x": (float, ())}, rid=name[:60]), 0)
    with serving(page, place) as server:
        page.get(server.url)
        wait_for(page, f"document.querySelectorAll('#rows tr').length === {len(HOSTILE) + 1}")
        shown = text(page, "#rows")
        assert BEL in shown
        assert "\\u202eevil" in shown
        assert "two\\nlines" in shown
        assert "\\udcff<b>" in shown
        page.execute_script(
            "[...document.querySelectorAll('#rows a')]"
            f".find(a => a.textContent === {json.dumps(BEL)}).click()"
        )
        wait_for(page, DRAWN)
        assert text(page, "#rid") == BEL
        page.execute_script("document.getElementById('picker').open = true")
        assert BEL in text(page, "#found")
        page.execute_script(
            "document.querySelectorAll('#found input:not(:checked)').forEach(box => box.click())"
        )
        for name in driven_sections(page):
            page.execute_script(f"document.getElementById({json.dumps(name)}).scrollIntoView()")
            time.sleep(0.3)
        wait_for(page, f"document.querySelectorAll('#table-rows tr').length === {len(HOSTILE)}")
        wait_for(page, "document.getElementById('facts').innerText.length > 0")
        assert BEL in text(page, "#table-rows")
        assert BEL in text(page, "#facts")
        assert page.execute_script("return document.querySelectorAll('main img').length") == 0
        assert page.execute_script("return document.querySelectorAll('mjx-container').length") == 0
        wait_for(page, "document.documentElement.scrollWidth <= innerWidth")


def driven_sections(page):
    return page.execute_script("return [...document.querySelectorAll('.figure')].map(f => f.id)")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    place = tmp_path_factory.mktemp("place")
    fill(drawstore.FileBackend(place / "files"))
    with drawstore.emcee.HDFBackend(place / "walk.h5") as backend:
        save(backend)
    with Server(place, port=0) as server:
        server.run_url = addressed(server, place / "files", "ours")
        yield server


@pytest.mark.parametrize("width", [360, 768])
def test_a_narrow_screen(page, served, width):
    screen(page, width, 780)
    for url, there in ((served.url, "#rows tr"), (served.run_url, ".canvas[data-draws]")):
        page.get(url)
        wait_for(page, f"document.querySelector('{there}') !== null")
        for name in driven_sections(page):
            page.execute_script(f"document.getElementById('{name}').scrollIntoView()")
            time.sleep(0.2)
        assert page.execute_script("return document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_everything(page, served):
    from selenium.webdriver.common.keys import Keys

    def focused():
        return page.execute_script(
            "const e = document.activeElement;"
            "return e.id || e.textContent || e.getAttribute('aria-label')"
        )

    page.get(served.url)
    wait_for(page, "document.querySelector('#rows tr') !== null")
    keys = page.switch_to.active_element
    seen = []
    for _ in range(6):
        keys.send_keys(Keys.TAB)
        keys = page.switch_to.active_element
        seen.append(focused())
        outline = page.execute_script(
            "return getComputedStyle(document.activeElement).outlineStyle"
        )
        assert outline != "none", seen
    assert seen[0] == "Skip to the content"
    assert {"theme", "filter", "ours", "mcmc"} <= set(seen)
    page.execute_script("document.getElementById('filter').focus()")
    page.switch_to.active_element.send_keys("OUR")
    wait_for(page, "document.querySelectorAll('#rows tr').length === 1")
    page.execute_script("document.querySelector('#rows a').focus()")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    wait_for(page, DRAWN)
    page.execute_script("document.getElementById('picked').focus()")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    wait_for(page, "document.activeElement.id === 'wanted'")
    page.switch_to.active_element.send_keys("effect", Keys.TAB, Keys.SPACE)
    wait_for(page, "document.querySelectorAll('#found label').length === 2")
    wait_for(page, "location.hash.startsWith('#p=')")
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait_for(
        page, "document.activeElement.id === 'picked' && !document.getElementById('picker').open"
    )


def test_light_and_dark(page, served):
    ground = "getComputedStyle(document.body).backgroundColor"
    screen(page, 1280, 900, "dark")
    page.get(served.run_url)
    wait_for(page, DRAWN)
    dark = page.execute_script(f"return {ground}")
    screen(page, 1280, 900, "light")
    wait_for(page, f"{ground} !== '{dark}'")
    page.execute_script("document.getElementById('theme').click()")  # light
    page.execute_script("document.getElementById('theme').click()")  # dark
    wait_for(page, f"{ground} === '{dark}'")
    page.get(served.url)
    assert page.execute_script(f"return {ground}") == dark, "it is remembered"
    wait_for(page, "document.getElementById('theme').textContent === 'Theme: dark'")
    page.execute_script("document.getElementById('theme').click()")  # as the system has it
    wait_for(page, f"{ground} !== '{dark}'")


def test_places_without_runs(page, tmp_path):
    with serving(page, tmp_path / "later") as server:
        page.get(server.url)
        wait_for(page, "document.getElementById('message').innerText.includes('Waiting')")
        page.get(f"{server.url}run/{'0' * 24}")
        wait_for(page, "document.getElementById('message').innerText.includes('not there')")
    complaints = errors(page)
    assert all("404" in complaint for complaint in complaints), complaints
