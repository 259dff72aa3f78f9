# SPDX-License-Identifier: Apache-2.0
"""Judges what a machine reported, and prints it as tables."""

import re

import matrix

# As googletest prints them.
EVENT = re.compile(r"\[ *(RUN|OK|FAILED|SKIPPED) *\] ([^ ,]+)(?:,.*)?(?: \((\d+) ms\))?$")
ATTACH_LIMIT_S = 5
MOST_LINES = 60


class Scenarios:
    """What became of each scenario of a row."""

    def __init__(self, lines):
        self.state = {}
        self.said = {}
        running = None
        for line in lines:
            found = EVENT.search(line)
            if found is None:
                if running is not None:
                    self.said[running].append(line)
                continue
            what, name, took = found.groups()
            if what == "RUN":
                running = name
                self.state[name] = "never ended"
                self.said[name] = []
            elif took is not None and name in self.state:
                self.state[name] = what.lower()
                running = None

    def count(self, state):
        return sum(each == state for each in self.state.values())

    def not_ok(self):
        return [name for name, state in self.state.items() if state != "ok"]


def chosen_by(lines):
    """Hook point to mechanism: as MechanismsTest prints them, or as "masflow doctor" does."""
    chosen = {}
    for line in lines:
        parts = line.split("\t") if "\t" in line else ["", line[11:29].strip(), line[30:].strip()]
        if parts[0] in ("", "mechanism") and parts[1:]:
            chosen[parts[1]] = parts[-1]
    return chosen


def programs_of(lines):
    found = [line.split("\t") for line in lines if line.startswith("program\t")]
    return {name: int(count) for _, name, count in found}


def faults(row, ran, target, whole):
    """What is wrong with a row, but for its scenarios. `target`: kernel and architecture."""
    found = []
    if ran.status != 0:
        found.append(f"status {ran.status}; the last words: " + " / ".join(ran.lines[-3:]))
    if ran.attach_seconds is not None and ran.attach_seconds > ATTACH_LIMIT_S:
        found.append(f"attached only after {ran.attach_seconds:.1f} s")
    if whole and not row.cgroups:
        wanted = matrix.best(*target) | row.forced
        if row.command:  # the streams of "masflow doctor" have data by call
            del wanted["tcp pass"]
        chosen = chosen_by(ran.lines)
        found += [f"{hook}: {chosen.get(hook, 'not there')}, not {mechanism}"
                  for hook, mechanism in wanted.items() if chosen.get(hook) != mechanism]
        if ran.attach_seconds is None:
            found.append("never attached")
    return found


def show_row(row, ran, target, whole):
    """Whether all is well with it."""
    scenarios = Scenarios(ran.lines)
    attached = "" if ran.attach_seconds is None else f"{ran.attach_seconds:.1f} s"
    print(f"{row.name:<14} {scenarios.count('ok'):>4} {scenarios.count('failed'):>6} "
          f"{scenarios.count('skipped'):>7} {scenarios.count('never ended'):>7} "
          f"{ran.seconds:>5.0f} s {attached:>9}")
    wrong = faults(row, ran, target, whole)
    if not row.command and not scenarios.state:
        wrong.append("no scenario ran")
    for line in wrong:
        print(f"  {line}")
    bad = scenarios.not_ok()
    for name in bad:
        print(f"  {scenarios.state[name]}: {name}")
        for line in scenarios.said[name][:MOST_LINES]:
            print(f"    {line}")
    return not bad and not wrong


def show(outcome, rows, target, whole):
    """Prints it; whether all is well. `whole`: all scenarios of the rows were asked for."""
    ok = outcome.ended and not outcome.trouble
    for note in outcome.notes:
        print(f"note: {note}")
    for line in outcome.trouble:
        print(f"kernel: {line}")
    print("row              ok failed skipped unended    time  attached  (of the host's processor)")
    programs = {}
    for row in rows:
        ran = outcome.rows.get(row.name)
        if ran is None:
            print(f"{row.name:<14} never begun")
            ok = False
            continue
        ok = show_row(row, ran, target, whole) and ok
        programs = programs_of(ran.lines) | programs
    if programs:
        print(f"instructions that the verifier went through on {outcome.kernel}:")
        for name, count in sorted(programs.items()):
            print(f"  {name:<16} {count:>8}")
        print(f"  {'all':<16} {sum(programs.values()):>8}")
    return ok
