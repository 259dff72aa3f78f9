#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what the shared library in an installed tree exports with a checked-in list.

usage: symbols.py <prefix> <soname> <list> [--update]
"""
import pathlib
import subprocess
import sys

# What the demangler spells out, as people write it.
SHORT = (
    ("std::basic_string_view<char, std::char_traits<char> >", "std::string_view"),
    ("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
     "std::string"),
    ("[abi:cxx11]", ""),
    (" >", ">"),
    ("std::chrono::time_point<std::chrono::_V2::system_clock, "
     "std::chrono::duration<long, std::ratio<1l, 1000000000l>>>", "masflow::v0::WallTime"),
    ("std::chrono::time_point<std::chrono::_V2::steady_clock, "
     "std::chrono::duration<long, std::ratio<1l, 1000000000l>>>", "masflow::v0::KernelTime"),
)
HEAD = ["# What libmasflow exports, demangled. To renew it after a wanted change:",
        "# tests/package/symbols.py <prefix> <soname> <this file> --update"]


def readable(line):
    """The name in a line of nm: "name[@@version] type value size"."""
    name = line.rsplit(" ", 3)[0].split("@@")[0]
    for long, short in SHORT:
        name = name.replace(long, short)
    return name


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    prefix, soname, list_path = sys.argv[1:4]
    library = next(pathlib.Path(prefix).rglob(soname))
    names = subprocess.run(["nm", "-DC", "--defined-only", "--format=posix", library],
                           check=True, capture_output=True, text=True).stdout.splitlines()
    # The node of the version script itself is an absolute symbol.
    found = sorted({readable(line) for line in names if line.rsplit(" ", 3)[1] != "A"})
    dynamic = subprocess.run(["readelf", "-d", library], check=True, capture_output=True,
                             text=True).stdout
    if f"soname: [{soname}]" not in dynamic:
        sys.exit(f"{library} has another soname than {soname}")
    if sys.argv[4:] == ["--update"]:
        pathlib.Path(list_path).write_text("\n".join(HEAD + found) + "\n", encoding="utf-8")
        return
    wanted = [line for line in pathlib.Path(list_path).read_text(encoding="utf-8").splitlines()
              if line and not line.startswith("#")]
    for name in found:
        if name not in wanted:
            print(f"exported, but not in the list: {name}")
        if not name.startswith("masflow::v0::"):
            print(f"not of the public name space: {name}")
    for name in wanted:
        if name not in found:
            print(f"in the list, but not exported: {name}")
    if found != sorted(wanted) or not all(name.startswith("masflow::v0::") for name in found):
        sys.exit(1)
    print(f"{len(found)} symbols are as listed")


if __name__ == "__main__":
    main()
