"""Check that a wheel holds what it is to hold: the package, the extension, the types, no more."""

import sys
import zipfile
from pathlib import Path

REPO = Path(__file__).parent.parent
ALLOWED = {".binpb", ".json", ".py", ".pyi", ".so", ".csv", ".typed"}

names = set(zipfile.ZipFile(sys.argv[1]).namelist())
package = {name for name in names if ".dist-info/" not in name}
wanted = {
    str(path.relative_to(REPO / "python"))
    for path in (REPO / "python" / "drawstore").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}
extensions = {name for name in package if name.startswith("drawstore/_core.") and ".so" in name}
problems = [f"missing: {name}" for name in wanted - package]
problems += [f"not ours: {name}" for name in package - wanted - extensions]
problems += [f"unexpected kind: {name}" for name in package if Path(name).suffix not in ALLOWED]
if len(extensions) != 1:
    problems.append(f"one extension was expected, there are {sorted(extensions)}")
for name in ("drawstore/py.typed", "drawstore/_core.pyi", "drawstore/_messages.binpb"):
    if name not in package:
        problems.append(f"missing: {name}")
if not any(name.endswith("/LICENSE") for name in names):
    problems.append("missing: LICENSE")
if problems:
    sys.exit("\n".join(problems))
print(f"{sys.argv[1]}: {len(package)} files, as they should be")
