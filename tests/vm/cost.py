#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether an operation costs more instructions than its budget, and a program the verifier.

bench/cost.cc runs in an emulated machine whose clock counts instructions: the figures are the same
in each run, so a change of the code is seen that no measurement of time could show.

usage: cost.py --kernel 6.1 --cost PROGRAM --tests PROGRAM --child PROGRAM --masflow PROGRAM
               --folder FOLDER [--update]
"""

import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUDGETS = HERE / "budgets.json"
SKIP = 77
EXECS = 300
PROGRAM = "/usr/lib/busybox/true"  # without libraries, whose start varies more than we cost
OPERATIONS = "instructions of an operation"
MORE_ALLOWED = 1.03
# What the same code differs by from run to run, for timer ticks and where memory happens to lie: so
# many instructions and so much of the operation itself; and half of what that changes meanwhile.
NOISE = 150
NOISE_OF_OPERATION = 0.005


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--cost", required=True)
    for name in ("--tests", "--child", "--masflow", "--folder"):
        parser.add_argument(name, required=True)
    parser.add_argument("--update", action="store_true", help="what is measured is the new budget")
    return parser.parse_args()


def run(options):
    command = [sys.executable, "-B", HERE / "run.py", "--kernel", options.kernel, "--counting",
               "--with", options.cost, "--seconds", "900",
               "--command", f"{options.cost} {EXECS} {PROGRAM} && "
                            f"{options.tests} --gtest_filter='MechanismsTest.*'"]
    for name in ("tests", "child", "masflow", "folder"):
        command += [f"--{name}", getattr(options, name)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout)
        sys.exit(done.returncode)
    return done.stdout.splitlines()


def measured(lines):
    """What is measured, by kind and name, and how much of it may be noise."""
    found = {OPERATIONS: {}, "instructions verified": {}}
    noise = {}
    for line in lines:
        parts = line.split("\t")
        if parts[0] == "cost":
            _, operation, use, more, before, after = parts
            found[OPERATIONS][f"{operation}: {use}"] = int(more)
            noise[f"{operation}: {use}"] = (
                NOISE + NOISE_OF_OPERATION * int(before) + abs(int(after) - int(before)) / 2)
            print(f"{operation}: {use}: {more} more than {before} (before) and {after} (after)")
        elif parts[0] == "program":
            found["instructions verified"][parts[1]] = int(parts[2])
    return found, noise


def exceeded(found, noise, budgets):
    wrong = []
    for kind, figures in found.items():
        due = budgets.get(kind, {})
        wrong += [f"{name}: not measured" for name in due if name not in figures]
        for name, figure in figures.items():
            budget = due.get(name)
            if budget is None:
                wrong.append(f"{name}: {figure} {kind}, and no budget: see --update")
                continue
            over = figure > max(budget, 0) * MORE_ALLOWED + noise.get(name, 0)
            print(f"{'OVER' if over else 'ok':5}{name:42}{figure:10}{budget:10}  {kind}")
            if over:
                wrong.append(f"{name}: {figure} {kind}, {budget} are budgeted")
    return wrong


def main():
    options = arguments()
    found, noise = measured(run(options))
    all_budgets = json.loads(BUDGETS.read_text())
    if options.update:
        all_budgets[options.kernel] = found
        BUDGETS.write_text(json.dumps(all_budgets, indent=2, sort_keys=True) + "\n")
        return
    wrong = exceeded(found, noise, all_budgets.get(options.kernel, {}))
    for line in wrong:
        print(f"cost: {line}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
