"""A script as `drawstore run` runs it, in a process that may be killed at any instant."""

import os
from pathlib import Path

from ledger import Ledger

from drawstore import script
from drawstore.emcee import HDFBackend
from drawstore.script.executing import execute

_QUICKSTART = Path(__file__).parent.parent / "scripts/emcee_quickstart.py"
N_STEPS = {"sampler-1": 100, "sampler-1.reset-1": 200}


def write_quickstart(folder):
    """Write emcee's quickstart, with fewer steps, and what its results are kept in."""
    text = _QUICKSTART.read_text(encoding="utf-8").replace("10000", "200")
    text = text.replace("get_autocorr_time()", "get_autocorr_time(tol=0)")
    saved = "np.savez('out.npz', chain=samples, fraction=sampler.acceptance_fraction)\n"
    (folder / "quickstart.py").write_text(text + saved, encoding="utf-8")


def run_plainly(folder):
    os.chdir(folder)
    execute("quickstart.py", [], is_module=False)


def run_recorded(folder, ledger_path):
    """Count the steps that were kept, each when that was said."""
    os.chdir(folder)
    ledger, save = Ledger(ledger_path), HDFBackend.save_step

    def save_step(self, state, accepted):
        save(self, state, accepted)
        ledger.appended += 1

    HDFBackend.save_step = save_step
    script.run("quickstart.py", out="kept")
