"""`python -m drawstore` is the command `drawstore`."""

import sys

from drawstore.cli import main

sys.exit(main())
