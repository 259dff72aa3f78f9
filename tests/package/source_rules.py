#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for every source file: who may include whom, licence line, length, and that
something builds it.

usage: source_rules.py {layering|licences|lengths|listed} [project root]

Prints each violation as file:line and exits 1 if there is any. The include rules are
those of docs/architecture.md.
"""
import fnmatch
import os
import re
import sys

MAX_LINES = 500
TOP_FOLDERS = (".ci", "bench", "bpf", "cli", "cmake", "examples", "libmasflow", "tests")
SOURCE_NAMES = ("*.h", "*.cc", "*.c", "*.h.in", "*.cmake", "*.cmake.in", "*.py", "*.sh", "*.map",
                "CMakeLists.txt", "run", ".clang-format", ".clang-tidy")

# What an include names, first match wins. Quotes or angle brackets, as in the source.
KINDS = (
    ("asio driver", '"masflow/asio.h"'),
    ("test tools", '"masflow/testing/*'),
    ("public", '"masflow/*'),
    ("records", '"masflow_bpf/wire*.h"'),
    ("kernel types", '"masflow_bpf/vmlinux.h"'),
    ("skeleton", '"*.skel.h"'),
    ("kernel part", '"*.bpf.h"'),
    ("seam", '"core/record_source.h"'),
    ("news", '"wire/workload_record.h"'),
    ("small tools", '"core/unique_fd.h"'),
    ("small tools", '"core/ip_prefix.h"'),
    ("small tools", '"core/signals_blocked.h"'),
    ("live source", '"bpf/live_source.h"'),
    ("bpf helpers", "<bpf/bpf_*"),
    ("libbpf", "<bpf/*"),
    ("absl status", "<absl/status/status*"),
    ("absl", "<absl/*"),
    ("zlib", "<zlib.h>"),
    ("boost", "<boost/*"),
    ("json", "<nlohmann/*"),
    ("system", "<*.h>"),
    ("std", "<*"),
    # A folder of libmasflow/src: the kind is its name. The rest lies beside the includer.
    ("", '"*/*'),
    ("beside", '"*'),
)
LIBRARY_FOLDERS = ("core", "wire", "process", "tcp", "http", "workload", "bpf", "replay",
                   "format", "reactor", "testing", "kubernetes")

COMMON = "std system absl|status absl public beside"
# Files (first match wins) and what they may include.
RULES = (
    ("libmasflow/include/masflow/asio.h", "std absl|status public boost"),
    ("libmasflow/include/masflow/testing/*", "std absl|status public test|tools"),
    ("libmasflow/include/masflow/*", "std absl|status public"),
    # The one factory that makes a source.
    ("libmasflow/src/core/source_factory.*",
     COMMON + " seam small|tools core live|source replay"),
    # RunInThread(): the one place of the library that has an Asio loop.
    ("libmasflow/src/reactor/*", COMMON + " seam small|tools core reactor asio|driver boost"),
    ("libmasflow/src/core/*", COMMON + " records seam small|tools core wire reactor workload"),
    ("libmasflow/src/wire/*", "std system public records news wire beside"),
    ("libmasflow/src/process/*", COMMON + " records seam small|tools core wire process"),
    ("libmasflow/src/tcp/*", COMMON + " records seam small|tools core wire tcp"),
    ("libmasflow/src/http/*", COMMON + " records seam small|tools core wire http"),
    ("libmasflow/src/workload/*", COMMON + " small|tools news workload"),
    ("libmasflow/src/bpf/inflate.cc", COMMON + " bpf zlib"),
    ("libmasflow/src/bpf/*",
     COMMON + " records seam small|tools news workload bpf live|source skeleton libbpf bpf|helpers"),
    ("libmasflow/src/replay/*", COMMON + " records seam small|tools news wire replay"),
    ("libmasflow/src/kubernetes/http_client.cc", COMMON + " kubernetes boost"),
    ("libmasflow/src/kubernetes/object_json.cc", COMMON + " kubernetes json"),
    ("libmasflow/src/kubernetes/*", COMMON + " small|tools kubernetes"),
    ("libmasflow/src/format/*", COMMON + " format"),
    ("libmasflow/src/testing/*", COMMON + " test|tools records seam small|tools news wire testing"),
    ("cli/*", "std system absl|status absl public asio|driver boost beside"),
    ("examples/*", "std system absl|status public asio|driver boost beside"),
    ("bpf/include/*", "system records kernel|types"),
    ("bpf/*", "records kernel|types kernel|part bpf|helpers"),
)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]*[>"])')


def source_files(root):
    """Paths relative to the root of all source files."""
    found = [n for n in os.listdir(root) if os.path.isfile(os.path.join(root, n))]
    for top in TOP_FOLDERS:
        for folder, _, names in os.walk(os.path.join(root, top)):
            relative = os.path.relpath(folder, root)
            found += [os.path.join(relative, name) for name in names]
    return sorted(f for f in found
                  if any(fnmatch.fnmatch(os.path.basename(f), n) for n in SOURCE_NAMES))


def lines_of(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read().splitlines()


def kind_of(include):
    for kind, pattern in KINDS:
        if fnmatch.fnmatchcase(include, pattern):
            return kind or include.strip('"').split("/")[0]
    return "unknown"


def layering(root):
    for path in source_files(root):
        if not path.endswith((".h", ".cc", ".c")):
            continue
        allowed = next((a for pattern, a in RULES if fnmatch.fnmatch(path, pattern)), None)
        if allowed is None:
            if path.startswith("libmasflow/"):
                yield f"{path}:1: no include rule for this folder"
            continue
        allowed = {name.replace("|", " ") for name in allowed.split()}
        for number, line in enumerate(lines_of(root, path), 1):
            match = INCLUDE.match(line)
            if match and kind_of(match[1]) not in allowed:
                yield f"{path}:{number}: may not include {match[1]} ({kind_of(match[1])})"


def licences(root):
    for path in source_files(root):
        dual = path.startswith("bpf/") and path.endswith((".h", ".c"))
        wanted = "GPL-2.0-only OR BSD-2-Clause" if dual else "Apache-2.0"
        line = f"SPDX-License-Identifier: {wanted}"
        if not any(line in head for head in lines_of(root, path)[:3]):
            yield f"{path}:1: '{line}' is missing in the first three lines"


def lengths(root):
    for path in source_files(root):
        count = len(lines_of(root, path))
        if count > MAX_LINES:
            yield f"{path}:{count}: more than {MAX_LINES} lines"


def listed(root):
    """A test that no CMakeLists.txt names is never run, and nobody notices."""
    for path in source_files(root):
        if not path.endswith((".cc", ".bpf.c")):
            continue
        folder = os.path.dirname(path)
        while not os.path.exists(os.path.join(root, folder, "CMakeLists.txt")):
            folder = os.path.dirname(folder)
        known = []
        for name in os.listdir(os.path.join(root, folder)):
            if name.endswith((".cmake", "CMakeLists.txt")):
                known += lines_of(root, os.path.join(folder, name))
        name = os.path.relpath(path, folder or ".")
        stem = re.sub(r"(_fuzz)?\.cc$", "", name)  # as a function of the folder takes it
        if 'file(GLOB sources CONFIGURE_DEPENDS "*.cc")' in known and "/" not in name:
            continue
        words = re.findall(r"[\w./]+", "\n".join(known))
        if name not in words and stem not in words:
            yield f"{path}:1: not in {folder}/CMakeLists.txt"


def main():
    checks = {"layering": layering, "licences": licences, "lengths": lengths, "listed": listed}
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in checks:
        sys.exit(__doc__)
    root = sys.argv[2] if len(sys.argv) == 3 else os.path.join(os.path.dirname(__file__), "../..")
    violations = list(checks[sys.argv[1]](root))
    print("\n".join(violations) if violations else f"{len(source_files(root))} files are fine")
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
