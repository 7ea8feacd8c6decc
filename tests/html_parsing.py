"""What is in the HTML that notebooks are given; it has to be well-formed."""

import xml.etree.ElementTree as ET

ELEMENTS = """bdi circle code details div path polyline span strong summary svg table tbody td th
    thead title tr"""
ATTRIBUTES = """aria-label class cx cy d fill height open points r role stroke stroke-dasharray
    stroke-linejoin stroke-opacity stroke-width style viewBox width"""

# Names that are more than text where they are not escaped.
HOSTILE = [
    "<script>alert(1)</script>",
    "\"' onmouseover='alert(1)'",
    "</table></div><!-- ",
    "<![CDATA[ ]]> &amp; &lt;b&gt;",
    "$$\\alpha$$ `x` $x$",
    "שלום عربي",
    "\u202eright to left\u202c \u2066",
    "line\nbreak\ttab\x00\x1b[31m",
    "",
]


def parse(html):
    """Parse it, and see that nothing is in it that could run, or be fetched."""
    root = ET.fromstring(html)
    for element in root.iter():
        assert element.tag in ELEMENTS.split(), element.tag
        assert set(element.attrib) <= {*ATTRIBUTES.split()}, element.attrib
        assert not any("url(" in value for value in element.attrib.values())
    html.encode()  # a kernel sends it as UTF-8
    return root


def words(html):
    """Give what is to be read, the parts of it joined by spaces."""
    return " ".join(" ".join(parse(html).itertext()).split())


def rows(html):
    """Give the cells of all tables."""
    return [["".join(cell.itertext()) for cell in row] for row in parse(html).iter("tr")]


def names(html):
    """Give what is shown as a name."""
    return ["".join(code.itertext()) for code in parse(html).iter("code")]
