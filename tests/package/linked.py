#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether docs/linked.md lists just what is linked into the command, each with a licence.

usage: linked.py <command> <linker map> <linked.md>
"""
import fnmatch
import os
import re
import subprocess
import sys


def listed(path):
    """Patterns of libraries with the way they are linked, from the table."""
    found = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) != 4 or cells[0] in ("component", "---"):
                continue
            assert cells[2], f"{cells[0]} has no licence"
            found += [(pattern, cells[3]) for pattern in re.findall(r"`([^`]+\.(?:a|so[^`]*))`",
                                                                    cells[1])]
    return found


def archives(path):
    """Those of which the linker took at least one object."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    taken = text[:text.index("Memory Configuration")]
    names = {os.path.basename(name) for name in re.findall(r"^(\S+\.a)\(", taken, re.MULTILINE)}
    assert "libmasflow.a" in names, "not the map of the command"
    return names - {"libmasflow.a", "libmasflow_kubernetes.a"}


def needed(path):
    text = subprocess.run(["readelf", "--wide", "--dynamic", path], check=True,
                          capture_output=True, text=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    command, linker_map, document = sys.argv[1:]
    table = listed(document)
    wrong = []
    for way, real in (("in", archives(linker_map)), ("at run time", needed(command))):
        patterns = [pattern for pattern, linked in table if linked == way]
        wrong += [f"{name} is linked ({way}), but not listed" for name in sorted(real)
                  if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
        wrong += [f"{pattern} is listed ({way}), but not linked" for pattern in patterns
                  if not fnmatch.filter(real, pattern)]
    print("\n".join(wrong) if wrong else f"{len(table)} entries, as linked")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
