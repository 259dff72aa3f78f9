#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What watching costs the machine that is watched: loads as fast as it can make them, with each
observer in turn and with none, round by round.

usage: live.py --build build/release [--rounds 15] [--scale 1] [--part loads [--load exec]...]
               [--part idle|grown|start|size]...

Needs root and a quiet machine. Beside the command: programs that do nothing and a bare ring
(masflow_floor), and execsnoop, tcplife (libbpf-tools) and bpftrace, where they are installed and start.
"""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

# Rates of a round are compared with the one without an observer in the same round.
LOADS = {"exec": 1_000, "connect": 15_000, "exchange": 60_000, "bulk": 4_096}
EXEC = ("sched_process_exec", "sched_process_exit")
STATE = ("inet_sock_set_state", "tcp_destroy_sock")
CALLS = ("sock_send_length", "sock_recv_length")
DEADLINE_S = 60
IDLE_S = 10
OPEN = (0, 1_000, 10_000, 100_000)

TRACE_EXEC = ('tracepoint:sched:sched_process_exec '
              '{ printf("%d %s %s\\n", pid, comm, str(args->filename)); }')
TRACE_STATE = ('tracepoint:sock:inet_sock_set_state '
               '{ printf("%d %s %d %d\\n", pid, comm, args->oldstate, args->newstate); }')


class Observer:
    """A program that watches. `ready`: what it says, on either output, once it does."""

    def __init__(self, name, words, ready, needs_tracefs=False):
        self.name, self.words, self.ready = name, words, ready
        if needs_tracefs:  # in mounts of its own
            self.words = ["unshare", "--mount", "sh", "-c",
                          'mount -t tracefs none /sys/kernel/tracing && '
                          'mount -t debugfs none /sys/kernel/debug; ulimit -l unlimited; exec "$@"',
                          "sh", *words]

    def start(self):
        """False: it does not start here."""
        self.out = tempfile.TemporaryFile()
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=self.out,
                                        stderr=self.err)
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if re.search(self.ready, self.text(self.err) + self.text(self.out)[:4096]):
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return False

    @staticmethod
    def text(file):
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"RssAnon:\s+(\d+)", file.read())[1]) / 1024

    def stop(self):
        """What it says of itself at the end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        said = self.text(self.err).strip().splitlines()
        lines = self.text(self.out).count("\n")
        self.out.close()
        self.err.close()
        last = said[-1] if said else ""
        found = re.search(r"(\d+) (?:events|records)(?:, (\d+) lost)?", last)
        if found:
            return f"{found[1]} events" + (f", {found[2]} lost" if found[2] else "")
        return f"{lines} lines"


def masflow(name, build, *options):
    return Observer(name, [f"{build}/cli/masflow", *options], r"masflow: ready")


def floor(name, build, size, hooks):
    return Observer(name, [f"{build}/bench/masflow_floor", str(size), *hooks], r"^ready")


def tool(name, words, ready):
    if shutil.which(words[0]) is None:
        return None
    # Into a file they would say that they are ready only once a buffer is full.
    return Observer(name, ["stdbuf", "-oL", *words], ready, needs_tracefs=True)


def observers(build, load):
    if load == "exec":
        found = [floor("empty programs", build, 0, EXEC), floor("bare ring, 248 B", build, 248, EXEC),
                 masflow("masflow, processes", build, "--streams", "process"),
                 tool("execsnoop", ["execsnoop"], "PCOMM"),
                 tool("bpftrace", ["bpftrace", "-e", TRACE_EXEC], "Attaching")]
    elif load == "connect":
        found = [floor("empty programs", build, 0, STATE), floor("bare ring, 56 B", build, 56, STATE),
                 masflow("masflow, TCP", build, "--streams", "tcp"),
                 tool("tcplife", ["tcplife"], "PID"),
                 tool("bpftrace", ["bpftrace", "-e", TRACE_STATE], "Attaching")]
    elif load == "exchange":
        found = [floor("empty programs", build, 0, CALLS), floor("bare ring, 248 B", build, 248, CALLS),
                 masflow("masflow, HTTP", build, "--streams", "http"),
                 masflow("masflow, TCP", build, "--streams", "tcp")]
    else:
        found = [masflow("masflow, TCP", build, "--streams", "tcp"),
                 masflow("masflow, TCP by call", build, "--streams", "tcp", "--data", "call"),
                 masflow("masflow, HTTP", build, "--streams", "http")]
    return [o for o in found if o] + [masflow("masflow, all", build)]


def rate(build, load, scale):
    done = subprocess.run([f"{build}/bench/masflow_load", load, str(round(LOADS[load] * scale))],
                          check=True, capture_output=True, text=True)
    count, seconds = done.stdout.split()
    return int(count) / float(seconds)


def quartiles(values):
    if len(values) < 2:
        return f"{values[0]:.3f}"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def loads(build, rounds, kinds, scale):
    for load in kinds:
        watching = observers(build, load)
        ratios = {o.name: [] for o in watching}
        control, said, absent = [], {}, set()
        rate(build, load, scale)
        for i in range(rounds):
            without = rate(build, load, scale)
            # Each is the first, the second… equally often: the machine's pace drifts.
            at = i % len(watching)
            for observer in watching[at:] + watching[:at]:
                if observer.name in absent:
                    continue
                if observer.start():
                    ratios[observer.name].append(rate(build, load, scale) / without)
                    said[observer.name] = observer.stop()
                else:
                    observer.stop()
                    absent.add(observer.name)
            control.append(rate(build, load, scale) / without)
        print(f"{load}: {round(LOADS[load] * scale)} a run, {rounds} rounds, rate with over without")
        print(f"  {'nobody':24} {quartiles(control)}")
        for observer in watching:
            if observer.name in absent:
                print(f"  {observer.name:24} does not start here")
            else:
                print(f"  {observer.name:24} {quartiles(ratios[observer.name])}  "
                      f"{said[observer.name]}")
        sys.stdout.flush()


@contextlib.contextmanager
def open_connections(build, count):
    """So many of the machine with itself, and nothing on them."""
    if not count:
        yield
        return
    load = subprocess.Popen([f"{build}/bench/masflow_load", "idle", str(count)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    load.stdout.readline()
    yield
    load.stdin.close()
    load.wait()


def idle(build):
    """Nothing happens; then many connections are open, and nothing happens on them."""
    print(f"idle for {IDLE_S} s: CPU of the command in % of one processor, anonymous MB")
    for count in OPEN:
        command = masflow("all", build, "--max-connections", "262144")
        with open_connections(build, count):
            if not command.start():
                sys.exit("masflow does not start")
            time.sleep(2)  # what was open before is told first
            before = command.cpu_s()
            time.sleep(IDLE_S)
            spent = command.cpu_s() - before
            memory = command.rss_mb()
            print(f"  {count:6} open  {100 * spent / IDLE_S:6.2f} %  {memory:6.1f} MB  "
                  f"{command.stop()}")
        sys.stdout.flush()


def grown(build, rounds, scale):
    """What an event costs where many connections are open."""
    print(f"many connections open: rate with all streams over without, {rounds} rounds")
    for count in OPEN:
        with open_connections(build, count):
            for load in ("connect", "exchange"):
                ratios = []
                for _ in range(rounds):
                    without = rate(build, load, scale)
                    command = masflow("all", build, "--max-connections", "262144")
                    if not command.start():
                        sys.exit("masflow does not start")
                    time.sleep(2)  # what was open before is told first
                    ratios.append(rate(build, load, scale) / without)
                    command.stop()
                print(f"  {count:6} open  {load:10} {quartiles(ratios)}")
                sys.stdout.flush()


def start(build, rounds):
    print("start to ready, ms of the wall, as it says itself:")
    for streams in ("process", "process,tcp", "process,tcp,http"):
        times = []
        for _ in range(rounds):
            done = subprocess.run([f"{build}/cli/masflow", "--streams", streams, "--duration", "1ms"],
                                  check=True, capture_output=True, text=True)
            times.append(float(re.search(r"ready .*in (\d+) ms", done.stderr)[1]))
        print(f"  {streams:18} {quartiles(times)}")


def size(build):
    with tempfile.TemporaryDirectory() as folder:
        stripped = pathlib.Path(folder) / "masflow"
        subprocess.run(["strip", "-o", stripped, f"{build}/cli/masflow"], check=True)
        print(f"the command, stripped: {stripped.stat().st_size / 1e6:.2f} MB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--part", action="append",
                        choices=("loads", "idle", "grown", "start", "size"))
    parser.add_argument("--scale", type=float, default=1, help="so much of each load")
    parser.add_argument("--load", action="append", choices=tuple(LOADS), help="only these")
    options = parser.parse_args()
    parts = options.part or ("loads", "idle", "grown", "start", "size")
    if "loads" in parts:
        loads(options.build, options.rounds, options.load or LOADS, options.scale)
    if "idle" in parts:
        idle(options.build)
    if "grown" in parts:
        grown(options.build, options.rounds, options.scale)
    if "start" in parts:
        start(options.build, options.rounds)
    if "size" in parts:
        size(options.build)


if __name__ == "__main__":
    main()
