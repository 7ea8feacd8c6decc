"""That what the Markdown files link to is there, and that every guide and picture is linked to."""

import re
from collections import Counter
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
DOCS = REPO / "python" / "docs"
FILES = [
    REPO / "README.md",
    *sorted((REPO / "cpp").glob("*.md")),
    *sorted((REPO / "benchmarks").glob("*.md")),
    *sorted(DOCS.glob("*.md")),
]

_CODE = re.compile(r"^```.*?^```$|``.+?``|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_HEADING = re.compile(r"^#+ +(.+?) *#*$", re.MULTILINE)


def links(text):
    """Give the targets of all links and pictures in a text."""
    return _LINK.findall(_CODE.sub("`code`", text))


def anchors(text):
    """Give the anchors of the headings, as GitHub names them."""
    seen: Counter[str] = Counter()
    found = []
    for heading in _HEADING.findall(_FENCED.sub("", text)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found.append(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def problems(path):
    """Give the links of a file that lead nowhere."""
    found = []
    for target in links(path.read_text(encoding="utf-8")):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        is_there = there.exists() and there.is_relative_to(REPO)
        if is_there and anchor:
            is_there = anchor in anchors(there.read_text(encoding="utf-8"))
        if not is_there:
            found.append(target)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPO)))
def test_links_lead_somewhere(path):
    assert problems(path) == []


def test_wrong_links_are_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "REPO", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A `title`, twice\n## A title, twice\n[a](#a-title-twice) [b](page.md#a-title-twice-1)\n"
        "[c](#nowhere) [d](missing.md) [e](../elsewhere) [f](https://example.org) `[g](code)`\n"
        "```\n# no heading\n[h](code)\n```\n![i](none.png)\n"
    )
    assert problems(page) == ["#nowhere", "missing.md", "../elsewhere", "none.png"]


def test_every_guide_and_picture_is_linked_to():
    linked = {
        (path.parent / target.partition("#")[0]).resolve()
        for path in FILES
        for target in links(path.read_text(encoding="utf-8"))
    }
    assert set(DOCS.glob("*.md")) <= linked
    assert set(DOCS.glob("pictures/*")) <= linked
    index = {target.partition("#")[0] for target in links((DOCS / "index.md").read_text())}
    assert {path.name for path in DOCS.glob("*.md")} - {"index.md"} <= index
