"""Runs as they are watched: what `drawstore watch` shows."""

from .sights import Sight
from .watcher import Watcher

__all__ = ["Sight", "Watcher"]
