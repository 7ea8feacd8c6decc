"""How notebooks show stores, runs and results: tables in HTML.

What is shown is bounded, and reads no draws. It has no styles and no scripts of its own beside it,
and takes colours and fonts from the page, light or dark. Names are data: they are shown as text,
whatever they are made of.
"""
