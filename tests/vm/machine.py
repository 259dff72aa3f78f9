# SPDX-License-Identifier: Apache-2.0
"""Boots a kernel in an emulated machine and takes in what its init reports."""

import dataclasses
import pathlib
import re
import subprocess

# What a kernel says if something is wrong with it. Not "BUG"s of other words, as in "DEBUG".
TROUBLE = re.compile(
    r"WARNING: |\bBUG: |\bBUG\b at |Oops|general protection|Kernel panic|Call Trace|cut here|"
    r"stall|soft lockup|hard LOCKUP|blocked for more than|Out of memory|invoked oom-killer|"
    r"list_(add|del) corruption|refcount_t|suspicious RCU|KASAN|UBSAN|unable to handle")
# Faults of user programs, which the tests provoke.
PROVOKED = re.compile(r"mf_child\[|segfault at|traps: |mf_child: ")


@dataclasses.dataclass
class Row:
    """What one line of /rows came to."""
    name: str
    status: int | None = None  # none: never ended
    seconds: int = 0
    lines: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Outcome:
    kernel: str = ""
    ended: bool = False
    rows: dict[str, Row] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    trouble: list[str] = dataclasses.field(default_factory=list)


def command(architecture: str, kernel: pathlib.Path, initramfs: pathlib.Path,
            folder: pathlib.Path) -> list[str]:
    # Debian 12's QEMU 7.2 corrupts memory with several threads of emulation, and has bugs in
    # five-level page tables and in cmpxchg16b.
    if architecture == "amd64":
        machine = ["qemu-system-x86_64", "-cpu", "max,la57=off,cx16=off"]
        consoles = ("ttyS0", "ttyS1")
    else:
        machine = ["qemu-system-aarch64", "-machine", "virt", "-cpu", "max,pauth-impdef=on"]
        consoles = ("ttyAMA0", "hvc0")
    options = (f"console={consoles[0]} loglevel=5 panic=-1 oops=panic quiet "
               f"masflow.report={consoles[1]}")
    serial = ["-serial", f"file:{folder / 'console.log'}"]
    if architecture == "amd64":
        serial += ["-serial", f"file:{folder / 'report.log'}"]
    else:
        serial += ["-device", "virtio-serial-pci", "-device", "virtconsole,chardev=report",
                   "-chardev", f"file,id=report,path={folder / 'report.log'}"]
    return machine + ["-accel", "tcg,thread=single", "-smp", "2", "-m", "1280", "-nodefaults",
                      "-display", "none", "-no-reboot", *serial, "-kernel", str(kernel),
                      "-initrd", str(initramfs), "-append", options]


def boot(arguments: list[str], folder: pathlib.Path, seconds: int) -> Outcome:
    for name in ("console.log", "report.log"):
        (folder / name).write_bytes(b"")
    outcome = Outcome()
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False)
        if done.returncode != 0:
            outcome.notes.append(f"qemu: status {done.returncode}: {done.stderr.strip()}")
    except subprocess.TimeoutExpired:
        outcome.notes.append(f"the machine did not end within {seconds} s")
    read_report((folder / "report.log").read_text(errors="replace"), outcome)
    read_console((folder / "console.log").read_text(errors="replace"), outcome)
    return outcome


def read_report(text: str, outcome: Outcome) -> None:
    row: Row | None = None
    for line in text.splitlines():
        if not line.startswith("@vm "):
            if row is not None:
                row.lines.append(line)
            continue
        word, _, rest = line[4:].partition(" ")
        if word == "kernel":
            outcome.kernel = rest
        elif word == "begin":
            row = outcome.rows[rest] = Row(rest)
        elif word == "end":
            name, status, seconds = rest.split()
            outcome.rows[name].status = int(status)
            outcome.rows[name].seconds = int(seconds)
            row = None
        elif word == "done":
            outcome.ended = True
        else:
            outcome.notes.append(line[4:])


def read_console(text: str, outcome: Outcome) -> None:
    outcome.trouble = [line.strip() for line in text.splitlines()
                       if TROUBLE.search(line) and not PROVOKED.search(line)]
