"""Watching runs as they grow, and knowing when they have converged.

`drawstore.Monitor` follows a run, and asks a rule about it; `LongEnough` is that of emcee's
tutorial.
"""

from .diagnostics import Diagnostics
from .monitor import Monitor
from .rules import LongEnough, Rule
from .showing import Showing
from .status import Progress, Status

__all__ = ["Diagnostics", "LongEnough", "Monitor", "Progress", "Rule", "Showing", "Status"]
