#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the scenarios of the kernel tier on one of Debian's kernels, in an emulated machine.

usage: run.py --kernel 6.1 --tests PROGRAM --child PROGRAM --masflow PROGRAM --folder FOLDER
              [--row NAME]... [--filter PATTERN] [--smoke]
       run.py ... --command 'bpftool prog' --with /usr/sbin/bpftool [--counting]
"""

import argparse
import dataclasses
import pathlib
import shutil
import subprocess
import sys
import time

import image
import machine
import matrix
import report

HERE = pathlib.Path(__file__).resolve().parent
SKIP = 77


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel", choices=matrix.KERNELS, required=True)
    parser.add_argument("--architecture", choices=("amd64", "arm64"), default="amd64")
    parser.add_argument("--system", type=pathlib.Path, default=pathlib.Path("/"),
                        help="the root with the system's programs, for another architecture")
    parser.add_argument("--tests", required=True)
    parser.add_argument("--child", required=True)
    parser.add_argument("--masflow", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--row", action="append", help="only these")
    parser.add_argument("--filter", help="only these scenarios, as --gtest_filter")
    parser.add_argument("--smoke", action="store_true", help="of each row the fewest scenarios")
    parser.add_argument("--command", help="only this, and show what it prints")
    parser.add_argument("--with", dest="programs", action="append", default=[],
                        help="put this program of the system into the machine too")
    parser.add_argument("--counting", action="store_true",
                        help="one processor, whose clock counts its instructions")
    parser.add_argument("--kernel-options", default="", help="more words of its command line")
    parser.add_argument("--seconds", type=int, default=2100, help="for the machine as a whole")
    return parser.parse_args()


def fetch(suite, architecture, folder):
    done = subprocess.run((HERE / "fetch_kernel.sh", suite, architecture, folder), check=False)
    if done.returncode == SKIP:
        print("NOT RUN: this kernel cannot be had here")
        sys.exit(SKIP)
    if done.returncode != 0:
        sys.exit(f"fetch_kernel.sh: status {done.returncode}")


def line_of(row, options):
    patterns = options.filter or matrix.filter_of(options.kernel, row, options.architecture)
    command = row.command or f"{options.tests} --gtest_color=no --gtest_filter='{patterns}'"
    command = f". /cgroups.sh; {row.cgroups or 'hybrid'}_cgroups && {command}"
    forced = ";".join(f"{hook}={mechanism}" for hook, mechanism in row.forced.items())
    return f"{row.name}|{forced}|{options.seconds}|{command}\n"


def main():
    options = arguments()
    emulator = {"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}
    for tool in (emulator[options.architecture], "cpio", "xz"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: docs/vm-tests.md names the packages")
    if not (options.system / "bin/busybox").exists():
        sys.exit(f"no busybox in {options.system}: docs/vm-tests.md names the packages")
    folder = options.folder.resolve()
    kernel = folder / "kernel"
    kernel.mkdir(parents=True, exist_ok=True)
    fetch(matrix.SUITES[options.kernel], options.architecture, kernel)

    root = image.Image(folder / "root", options.system.resolve())
    image.busybox(root)
    image.tools(root)
    image.modules(root, kernel / "modules")
    for program in (options.tests, options.child):
        root.program(program)
    root.program(options.masflow, "/usr/bin/masflow")
    for program in options.programs:
        root.program(program)
    root.file(str(HERE / "init.sh"), "/init")
    root.file(str(HERE / "cgroups.sh"), "/cgroups.sh")
    rows = [row for row in matrix.rows(options.kernel)
            if not options.row or row.name in options.row]
    if options.smoke:
        rows = [dataclasses.replace(row, scenarios=row.smoke or row.scenarios) for row in rows]
    lines = "".join(line_of(row, options) for row in rows)
    if options.command:
        lines = (f"command||{options.seconds}|"
                 f". /cgroups.sh; hybrid_cgroups && {{ {options.command}; }}\n")
    root.text("rows", lines)
    root.pack(folder / "initramfs")

    began = time.monotonic()
    outcome = machine.boot(
        machine.command(options.architecture, kernel / "vmlinuz", folder / "initramfs", folder,
                        options.kernel_options, options.counting),
        folder, options.seconds)
    seconds = round(time.monotonic() - began)
    if options.command:
        print("\n".join(outcome.rows["command"].lines))
        sys.exit(outcome.rows["command"].status)
    ok = report.show(outcome, rows, (options.kernel, options.architecture),
                     not options.filter)
    print(f"{outcome.kernel or options.kernel}: {'ok' if ok else 'FAILED'}, {seconds} s in all, "
          f"of the processor {outcome.seconds:.0f} s; "
          f"the machine's words are in {folder}")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
