# SPDX-License-Identifier: Apache-2.0
"""The two objects of a stream have the same programs, maps and variables, in the same places.

usage: skeletons_test.py SKELETON PLAIN_SKELETON
The library opens one of them by the skeleton of the other: libmasflow/src/bpf/skeleton.h.
"""
import pathlib
import sys


def shape(path):
    """All of the header up to the object's bytes, whose number differs."""
    text, found, _ = pathlib.Path(path).read_text(encoding="ascii").partition("*sz = ")
    assert found, f"{path} has no object"
    return text.lower().replace("_plain_bpf", "_bpf").splitlines()


with_casts, plain = (shape(path) for path in sys.argv[1:])
differing = [f"{a}\n{b}" for a, b in zip(with_casts, plain) if a != b]
if differing or len(with_casts) != len(plain):
    sys.exit("they differ:\n" + "\n".join(differing[:20]))
