# SPDX-License-Identifier: Apache-2.0
"""Nothing grows: the command's memory, descriptors and tables under load for a long time.

Environment: MASFLOW is the path of the command. MF_SOAK_S is how long, in seconds (default 60;
1800 before a release). Needs root and bpftool. Run by ctest -C soak -R kernel.soak.
"""
import http.client
import http.server
import json
import os
import re
import subprocess
import threading
import time
import unittest

from command_test import Answer, Command, objects_of, storm, wait_until

SECONDS = float(os.environ.get("MF_SOAK_S", "60"))
REQUESTS = 50  # a round, each on a connection of its own and on one that is kept
SLACK_KIB = 2048  # a leak of 100 bytes an event is far more


def ask(port, kept):
    for _ in range(REQUESTS):
        single = http.client.HTTPConnection("127.0.0.1", port)
        for connection in (single, kept):
            connection.request("GET", "/a?b=c")
            connection.getresponse().read()
        single.close()


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])


def entries(pid, name):
    """Of the command's table of this name."""
    ids = {number for kind, number in objects_of(pid) if kind == "map"}
    shown = json.loads(subprocess.run(["bpftool", "-j", "map", "show"], check=True,
                                      capture_output=True).stdout)
    found = [m["id"] for m in shown if m["id"] in ids and m.get("name") == name]
    assert found, f"no table {name}"
    dump = subprocess.run(["bpftool", "-j", "map", "dump", "id", str(found[0])], check=True,
                          capture_output=True).stdout
    return len(json.loads(dump or b"[]"))


class Soak(unittest.TestCase):
    def test_nothing_grows(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        with open(os.devnull, "wb") as nowhere, \
             Command("--json", "--tree", str(os.getpid()), "--interval", "100ms",
                     stdout=nowhere) as command:
            command.wait_ready()
            pid = command.process.pid
            begin = time.monotonic()
            samples = []
            while time.monotonic() - begin < SECONDS:
                shells = storm(50)
                kept = http.client.HTTPConnection("127.0.0.1", port)
                ask(port, kept)
                kept.close()
                for shell in shells:
                    shell.wait()
                samples.append((time.monotonic() - begin, resident_kib(pid),
                                len(os.listdir(f"/proc/{pid}/fd"))))
            # What it needs at all it has got in the first third.
            warm = [s for s in samples if s[0] < SECONDS / 3] or samples[:1]
            most = max(kib for _, kib, _ in warm)
            self.assertLessEqual(samples[-1][1], most + SLACK_KIB, samples[::10])
            self.assertEqual(samples[-1][2], samples[0][2], "descriptors")
            # An end that the kernel did not tell of is found by a sweep, each second or later.
            self.assertTrue(wait_until(lambda: entries(pid, "connections") == 0))
            # This process and its children, the command and bpftool.
            self.assertTrue(wait_until(lambda: entries(pid, "filter_trees") == 3))
            self.assertEqual(command.interrupt(), 0)
            totals = command.messages[-1]
            self.assertRegex(totals, r"^masflow: \d+ events, \d+ lost: process ")
            print(f"\n{len(samples)} rounds, {most} KiB, then {samples[-1][1]} KiB; {totals}")
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("these tests need root")
    unittest.main()
