"""Print the requirements of one of the project's extras, a line each."""

import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
print(*project["optional-dependencies"][sys.argv[1]], sep="\n")
