# SPDX-License-Identifier: Apache-2.0
"""Judges what a machine reported, and prints it as tables."""

import re

import matrix

# As googletest prints them.
EVENT = re.compile(r"\[ *(RUN|OK|FAILED|SKIPPED) *\] ([^ ,]+)(?:,.*)?(?: \((\d+) ms\))?$")
MOST_LINES = 60
ATTACH_LIMIT_S = 5


class Scenarios:
    """What became of each scenario of a row."""

    def __init__(self, lines):
        self.state = {}
        self.milliseconds = {}
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
                self.milliseconds[name] = int(took)
                running = None

    def count(self, state):
        return sum(each == state for each in self.state.values())

    def not_ok(self):
        return [name for name, state in self.state.items() if state != "ok"]


def tables(lines):
    """The lines that the test of mechanisms prints, by their first word."""
    found = {"attached": [], "mechanism": [], "program": []}
    for line in lines:
        word, *rest = line.split("\t")
        if rest and word in found:
            found[word].append(rest)
    return found


def wrong_choices(row, kernel, mechanisms):
    wanted = matrix.best(kernel) | row.forced
    chosen = dict(mechanisms)
    return [f"{hook}: {chosen.get(hook, 'not there')}, not {mechanism}"
            for hook, mechanism in wanted.items() if chosen.get(hook) != mechanism]


def show(outcome, rows, kernel, seconds, whole):
    """Prints it; whether all is well. `whole`: all scenarios of the rows were asked for."""
    ok = outcome.ended and not outcome.trouble
    for note in outcome.notes:
        print(f"note: {note}")
    for line in outcome.trouble:
        print(f"kernel: {line}")
    programs = {}
    print(f"{'row':<14} {'ok':>4} {'failed':>6} {'skipped':>7} {'unended':>7} {'time':>6}  attached")
    for row in rows:
        ran = outcome.rows.get(row.name)
        if ran is None:
            print(f"{row.name:<14} never begun")
            ok = False
            continue
        scenarios = Scenarios(ran.lines)
        table = tables(ran.lines)
        attached = ""
        if table["attached"]:
            parts = [int(part) / 1000 for part in table["attached"][0]]
            attached = (f"{ran.attach_seconds:.1f} s ({sum(parts):.1f} by the clock: "
                        f"process {parts[1]:.1f}, tcp {parts[2]:.1f}, http {parts[3]:.1f})")
        print(f"{row.name:<14} {scenarios.count('ok'):>4} {scenarios.count('failed'):>6} "
              f"{scenarios.count('skipped'):>7} {scenarios.count('never ended'):>7} "
              f"{ran.seconds:>4.0f} s  {attached}")
        for program, count in table["program"]:
            programs.setdefault(program, int(count))
        slow = ran.attach_seconds is not None and ran.attach_seconds > ATTACH_LIMIT_S
        wrong = wrong_choices(row, kernel, table["mechanism"]) if whole else []
        bad = scenarios.not_ok()
        if slow:
            wrong.append(f"attached only after {ran.attach_seconds:.1f} s")
        if bad or wrong or ran.status != 0 or not scenarios.state:
            ok = False
            for line in wrong:
                print(f"  {line}")
            for name in bad:
                print(f"  {scenarios.state[name]}: {name}")
                for line in scenarios.said[name][:MOST_LINES]:
                    print(f"    {line}")
            if ran.status != 0:
                print(f"  status {ran.status}; the last words:")
                for line in ran.lines[-3:]:
                    print(f"    {line}")
    if programs:
        print(f"instructions that the verifier went through on {outcome.kernel}:")
        for name in sorted(programs):
            print(f"  {name:<18} {programs[name]:>8}")
        print(f"  {'all':<18} {sum(programs.values()):>8}")
    return ok
