# SPDX-License-Identifier: Apache-2.0
"""What may go wrong around the command: it says so, or goes on, and leaves nothing behind.

Environment: MASFLOW is the path of the command, MF_CALL_FAILURE that of the library that lets bpf()
fail. MF_FAULTS=all tries each call and 200 kills instead of some. Needs root, unshare and bpftool.
"""
import errno
import os
import random
import signal
import tempfile
import time
import unittest

from command_test import Command, DEADLINE_S, existing, objects_of, storm, wait_until

ALL = os.environ.get("MF_FAULTS") == "all"
FAILURE = os.environ["MF_CALL_FAILURE"]
KILLS = 200 if ALL else 25
# The calls of which one shall fail: of all streams each takes the verifier a second or more. Number
# 13 is among them, with which libbpf finds out whether variables can be mapped.
STEP = 1 if ALL else 4
STREAMS = "process,tcp,http" if ALL else "process"


class Kill(unittest.TestCase):
    def test_at_any_moment_nothing_is_left(self):
        begin = time.monotonic()
        with Command() as command:
            command.wait_ready()
            start_s = time.monotonic() - begin
            self.assertEqual(command.interrupt(), 0)
        chance = random.Random(7)
        states = []
        for _ in range(KILLS):
            with Command() as command:
                pid = command.process.pid
                # What happens at the time is up to chance; not more than that hangs on it.
                time.sleep(chance.uniform(0, 1.5 * start_s))
                if chance.random() < 0.2:
                    command.process.send_signal(signal.SIGINT)  # on its way out, then
                command.process.send_signal(signal.SIGSTOP)
                try:
                    held = objects_of(pid)
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    held = set()  # it has ended
                states.append(bool(held))
                command.process.kill()
                command.end()
                self.assertTrue(wait_until(lambda h=held: not h & existing()), held)
        self.assertIn(True, states)


class Calls(unittest.TestCase):
    def run_with(self, kind, number, error, streams):
        """Exit code, messages and how many calls of this kind there were."""
        wrapper = ("env", f"LD_PRELOAD={FAILURE}", f"MF_FAIL_CALLS={kind}",
                   f"MF_FAIL_AT={number}", f"MF_FAIL_WITH={error}")
        with Command("--duration", "20ms", "--snapshot", "--streams", streams,
                     wrapper=wrapper) as command:
            # On a busy machine the verifier takes its time.
            code = command.end(5 * DEADLINE_S)
            calls = [int(line.removeprefix("calls: ")) for line in command.messages
                     if line.startswith("calls: ")]
            return code, [m for m in command.messages if m.startswith("masflow: ")], calls

    def each_may_fail(self, kind, errors, step, streams):
        """It refuses to start or ends with a sentence that says why, or it goes on."""
        code, _, calls = self.run_with(kind, 0, 0, streams)
        self.assertEqual(code, 0)
        self.assertGreater(calls[0], 20)
        refused = went_on = 0
        for number in range(1, calls[0] + 1, step):
            for error in errors:
                with self.subTest(f"{kind} call {number}: {errno.errorcode[error]}"):
                    code, messages, _ = self.run_with(kind, number, error, streams)
                    if code == 0:
                        went_on += 1
                        self.assertRegex(messages[0], "^masflow: ready")
                    else:
                        refused += 1
                        self.assertEqual(code, 1, messages)
                        self.assertRegex(messages[-1], "^masflow: .{20,}")
        self.assertTrue(refused > 0 or not ALL)
        self.assertGreater(went_on, 0)

    def test_bpf(self):
        self.each_may_fail("bpf", (errno.ENOMEM, errno.EPERM) if ALL else (errno.ENOMEM,),
                           STEP, STREAMS)

    def test_memory(self):
        # Some 3,000 to start and stop the stream of processes.
        self.each_may_fail("memory", (errno.ENOMEM,), 7 if ALL else 139, "process")

    def test_wait(self):
        self.each_may_fail("wait", (errno.ENOMEM,), 1 if ALL else 5, "process")


class Disk(unittest.TestCase):
    def test_full_while_recording(self):
        with tempfile.TemporaryDirectory() as folder:
            trace = os.path.join(folder, "trace.mfr")
            # In mounts of its own, which go with it.
            wrapper = ("unshare", "--mount", "sh", "-ec",
                       f'mount -t tmpfs -o size=64k none {folder}; exec "$@"', "sh")
            with Command("--comm", "true", "--record", trace, wrapper=wrapper) as command:
                command.wait_ready()
                for shell in storm(500):
                    shell.wait()
                self.assertEqual(command.interrupt(), 1)
                events = len(command.lines())
                self.assertGreaterEqual(events, 4 * 500 * 2)
                self.assertRegex(command.messages[-2],
                                 "recording ended: cannot write to .*No space left")
                self.assertIn(f"masflow: {events} events, 0 lost", command.messages[-1])


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("these tests need root")
    unittest.main()
