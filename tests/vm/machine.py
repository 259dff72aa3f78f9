# SPDX-License-Identifier: Apache-2.0
"""Boots a kernel in an emulated machine and takes in what its init reports."""

import dataclasses
import os
import pathlib
import re
import subprocess
import time

# What a kernel says if something is wrong with it.
TROUBLE = re.compile(
    r"WARNING: |\bBUG: |\bBUG\b at |Oops|general protection|Kernel panic|Call Trace|cut here|"
    r"stall|soft lockup|hard LOCKUP|blocked for more than|Out of memory|invoked oom-killer|"
    r"list_(add|del) corruption|refcount_t|suspicious RCU|KASAN|UBSAN|unable to handle")
# Faults of user programs, which the tests provoke.
PROVOKED = re.compile(r"segfault at|traps: ")
PERIOD_S = 0.1


@dataclasses.dataclass
class Row:
    """What one line of /rows came to. Times are of the host's processor: how fast this machine
    gets on depends on what else the host does."""
    name: str
    status: int | None = None  # none: never ended
    seconds: float = 0
    attach_seconds: float | None = None
    lines: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Outcome:
    kernel: str = ""
    ended: bool = False
    seconds: float = 0  # of the host's processor
    rows: dict[str, Row] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    trouble: list[str] = dataclasses.field(default_factory=list)


def command(architecture: str, kernel: pathlib.Path, initramfs: pathlib.Path,
            folder: pathlib.Path, more: str, counting: bool = False) -> list[str]:
    """`counting`: one processor whose clock counts its instructions, one a nanosecond. What runs
    in it takes as long each time, however busy the host is."""
    # Debian 12's QEMU 7.2 corrupts memory with several threads of emulation, and has bugs in
    # five-level page tables and in cmpxchg16b.
    if architecture == "amd64":
        # As QEMU counts, a copy by "rep movsb" takes an instruction for each byte.
        copies = ",fsrm=off,erms=off" if counting else ""
        machine = ["qemu-system-x86_64", "-cpu", "max,la57=off,cx16=off" + copies]
        consoles = ("ttyS0", "ttyS1")
        # A busy host delays the timer by more than the checks at the start allow for.
        more = "no_timer_check tsc=reliable mitigations=off " + more
    else:
        machine = ["qemu-system-aarch64", "-machine", "virt", "-cpu", "max,pauth-impdef=on"]
        consoles = ("ttyAMA0", "ttyS0")
    # Only what lasts longer than a busy host can hold the machine up is a stall.
    options = (f"console={consoles[0]} loglevel=5 panic=-1 oops=panic quiet "
               f"rcupdate.rcu_cpu_stall_timeout=300 watchdog_thresh=60 "
               f"masflow.report={consoles[1]} {more}")
    serial = ["-serial", f"file:{folder / 'console.log'}"]
    if architecture == "amd64":
        serial += ["-serial", f"file:{folder / 'report.log'}"]
    else:
        # The machine has one line of its own. Debian's 5.10 has virtio only as modules.
        serial += ["-device", "pci-serial,chardev=report",
                   "-chardev", f"file,id=report,path={folder / 'report.log'}"]
    clock = ["-smp", "2"]
    if counting:
        clock = ["-smp", "1", "-icount", "shift=0,sleep=off"]
        options += " norandmaps nokaslr"
    return machine + ["-accel", "tcg,thread=single", *clock, "-m", "1280", "-nodefaults",
                      "-display", "none", "-no-reboot", *serial, "-kernel", str(kernel),
                      "-initrd", str(initramfs), "-append", options]


def processor_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def boot(arguments: list[str], folder: pathlib.Path, seconds: int) -> Outcome:
    for name in ("console.log", "report.log"):
        (folder / name).write_bytes(b"")
    outcome = Outcome()
    reader = Reader(outcome)
    end = time.monotonic() + seconds
    with (folder / "qemu.log").open("w") as log, (folder / "report.log").open("rb") as report:
        with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as qemu:
            while qemu.poll() is None:
                outcome.seconds = processor_seconds(qemu.pid)
                reader.take(report.read())
                if time.monotonic() > end:
                    outcome.notes.append(f"the machine did not end within {seconds} s")
                    qemu.kill()
                    break
                time.sleep(PERIOD_S)
        reader.take(report.read())
        if qemu.returncode != 0:
            outcome.notes.append(f"qemu: status {qemu.returncode}")
    read_console((folder / "console.log").read_text(errors="replace"), outcome)
    return outcome


class Reader:
    """Takes the report line by line, as it comes."""

    def __init__(self, outcome: Outcome):
        self.outcome = outcome
        self.rest = b""
        self.row: Row | None = None
        self.since = 0.0
        self.attaching_since = 0.0

    def take(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.line(line.decode(errors="replace").rstrip("\r"))

    def line(self, line: str) -> None:
        if not line.startswith("@vm "):
            if self.row is not None:
                self.row.lines.append(line)
                if line == "attaching":
                    self.attaching_since = self.outcome.seconds
                elif line.startswith(("attached\t", "masflow: ready")):
                    self.row.attach_seconds = self.outcome.seconds - self.attaching_since
            return
        word, _, rest = line[4:].partition(" ")
        if word == "kernel":
            self.outcome.kernel = rest
        elif word == "begin":
            self.row = self.outcome.rows[rest] = Row(rest)
            self.since = self.outcome.seconds
        elif word == "end":
            name, status = rest.split()
            self.outcome.rows[name].status = int(status)
            self.outcome.rows[name].seconds = self.outcome.seconds - self.since
            self.row = None
        elif word == "done":
            self.outcome.ended = True
        else:
            self.outcome.notes.append(line[4:])


def read_console(text: str, outcome: Outcome) -> None:
    outcome.trouble = [line.strip() for line in text.splitlines()
                       if TROUBLE.search(line) and not PROVOKED.search(line)]
