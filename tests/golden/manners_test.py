#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the command behaves: exit codes, what goes where, slow and broken stdout, signals.

Needs no privilege: what is live is asked for as nobody, and refused.
"""
import fcntl
import os
import select
import signal
import subprocess
import time
import unittest

import command

WRONG_USE = (
    ("--bogus",), ("-x",), ("frob",), ("doctor", "frob"), ("doctor", "--json"), ("--json=1",),
    ("--pid",), ("--pid", "x"), ("--pid", "0"), ("--pid", "1,,2"), ("--pid", "-1"),
    ("--pid", "4294967296"), ("--tree", ""), ("--uid", "no such user"), ("--uid", "4294967295"),
    ("--comm", ""), ("--comm", "sixteen bytes xx"), ("--cgroup", ""), ("--streams", "HTTP"),
    ("--streams", "process,http,"), ("--streams", "files"), ("--streams", ""),
    ("--args-limit", "16384"), ("--args-limit", "1G"), ("--args-limit", "-1"),
    ("--ring-bytes", "1000"), ("--ring-bytes", "1"), ("--ring-bytes", "99999999999999999999"),
    ("--ring-bytes", "18014398509481984K"), ("--duration", "0"), ("--duration", "-1s"),
    ("--duration", "3 s"), ("--duration", "1d"), ("--duration", "inf"), ("--duration", "nan"),
    ("--duration", "9999999h"), ("--color", "pink"), ("--record", ""), ("--replay", ""),
    ("--port", ""), ("--port", "0"), ("--port", "65536"), ("--local-port", "80,"),
    ("--remote-port", "http"), ("--data", "all"), ("--interval", "9ms"), ("--interval", "61m"),
    ("--max-connections", "63"), ("--max-connections", "4194305"), ("--max-connections", "x"),
    ("--data", "call", "--interval", "1s"), ("--data", "off", "--interval", "1s"),
    ("--streams", "process", "--port", "80"), ("--streams", "process", "--no-open"),
    ("--streams", "process", "--address", "::1"), ("--listeners", "--streams", "process"),
    ("--streams", "tcp", "--forks"), ("--failed", "--streams", "tcp"),
    ("--streams", "tcp", "--snapshot"), ("--streams", "tcp", "--args-limit", "1"),
    ("--host", ""), ("--status", ""), ("--status", "99"), ("--status", "0xx"), ("--status", "5x"),
    ("--status", "200,"), ("--status", "2xxx"), ("--min-latency", "0"), ("--min-latency", ""),
    ("--query", "all"), ("--header",),
    ("--streams", "tcp", "--host", "a"), ("--streams", "process,tcp", "--status", "2xx"),
    ("--streams", "process", "--query", "drop"), ("--streams", "http", "--listeners"),
    ("--streams", "http", "--data", "off"), ("--streams", "tcp", "--header", "server"),
)


def lines(data):
    return data.decode().splitlines()


class ExitCodes(unittest.TestCase):
    def check_failure(self, result, code):
        """Exit code, nothing on stdout, one sentence on stderr."""
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, b"")
        messages = lines(result.stderr)
        self.assertEqual(len(messages), 1, messages)
        self.assertRegex(messages[0], r"^masflow: \S")
        return messages[0]

    def test_headers_that_may_not_be_shown(self):
        for name in ("cookie", "Set-Cookie", "authorization", "", "a b"):
            with self.subTest(name):
                self.check_failure(command.replay("http", "--header", name), 2)

    def test_wrong_use(self):
        for args in WRONG_USE:
            with self.subTest(args):
                # Behind the wrong option, so that a mistake here does not trace for ever.
                result = command.run(*args, *([] if args[0] == "doctor" or args[-1] == args[0]
                                              else ["--duration=1ms"]))
                message = self.check_failure(result, 2)
                self.assertIn("--help", message)

    def test_wrong_address(self):
        for address in ("", "localhost", "10.0.0.0/33", "10.0.0.1/8", "::1/129", "1.2.3", "::/x"):
            with self.subTest(address):
                result = command.replay("tcp", "--address", address)
                self.assertIn("--help", self.check_failure(result, 2))

    def test_wrong_use_is_escaped(self):
        message = self.check_failure(command.run("--\x1b[31m\n"), 2)
        self.assertIn("\\x1B[31m\\n", message)

    def test_no_such_recording(self):
        message = self.check_failure(command.run("--replay", command.path("none")), 1)
        self.assertIn("none", message)

    def test_no_recording(self):
        self.check_failure(command.run("--replay", __file__), 1)
        self.check_failure(command.run("--replay", "/"), 1)

    def test_record_to_nowhere(self):
        recording = command.recording("ordinary")
        self.check_failure(command.run("--replay", recording, "--record", "/no/such/file"), 1)
        self.check_failure(command.run("--replay", recording, "--record", recording), 1)
        self.assertEqual(command.run("--replay", recording).returncode, 0)

    def test_without_privilege(self):
        user = {}
        if os.geteuid() == 0:
            user = {"user": 65534, "group": 65534, "extra_groups": []}
            try:
                subprocess.run([command.MASFLOW, "--version"], check=True, capture_output=True,
                               **user)
            except PermissionError:
                self.skipTest("the command lies where nobody may not reach it")
        for args in (("--duration=1s",), ("doctor",)):
            message = self.check_failure(command.run(*args, **user), 1)
            self.assertIn("CAP_", message)

    def test_help_and_version(self):
        for args in (("--help",), ("-h",), ("--version",), ("--help", "frob"),
                     ("doctor", "--help")):
            result = command.run(*args)
            self.assertEqual((result.returncode, result.stderr), (0, b""), args)
            self.assertIn(b"masflow", result.stdout)
            self.assertTrue(all(len(line) <= 100 for line in lines(result.stdout)))


class Stdout(unittest.TestCase):
    def test_reader_gone(self):
        process = command.start("--replay", command.recording("many"), stdout=subprocess.PIPE)
        self.assertIn(b"PROCESS Exit", process.stdout.readline())
        process.stdout.close()
        with process.stderr:
            messages = lines(process.stderr.read())
        self.assertEqual(process.wait(30), 0)
        self.assertEqual(len(messages), 2, messages)  # ready and totals: no complaint

    def test_no_reader_at_all(self):
        reader, writer = os.pipe()
        os.close(reader)
        process = command.start("--replay", command.recording("many"), stdout=writer)
        os.close(writer)
        self.assertEqual(len(lines(process.communicate(timeout=30)[1])), 2)
        self.assertEqual(process.returncode, 0)

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            process = command.start("--replay", command.recording("ordinary"), stdout=full)
            messages = lines(process.communicate(timeout=30)[1])
            self.assertEqual(process.returncode, 1)
            self.assertEqual(messages[1], "masflow: cannot write to stdout: No space left on device")
            process = command.start("--version", stdout=full)
            self.assertEqual(len(lines(process.communicate(timeout=30)[1])), 1)
            self.assertEqual(process.returncode, 1)

    def test_closed(self):
        process = command.start("--replay", command.recording("ordinary"), stdout=None,
                                preexec_fn=lambda: os.close(1))
        messages = lines(process.communicate(timeout=30)[1])
        self.assertEqual(process.returncode, 1)
        self.assertEqual(messages[1], "masflow: cannot write to stdout: Bad file descriptor")

    def test_all_closed(self):
        def close_all():
            for fd in range(3):
                os.close(fd)
        process = command.start("--replay", command.recording("ordinary"), stdout=None,
                                preexec_fn=close_all)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1)

    def test_non_blocking_pipe(self):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
        process = command.start("--replay", command.recording("many"), stdout=writer)
        os.close(writer)
        time.sleep(0.3)  # so that it fills
        with os.fdopen(reader, "rb") as output:
            self.assertEqual(output.read().count(b"\n"), 20_000)
        self.assertEqual(lines(process.communicate(timeout=30)[1])[-1],
                         "masflow: 20000 events, 0 lost: process 20000 events, 0 lost; "
                         "tcp 0 events, 0 lost; http 0 events, 0 lost")
        self.assertEqual(process.returncode, 0)


class Signals(unittest.TestCase):
    def start_blocked(self, *args):
        """The command with a stdout that nobody reads, once that is full."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        process = command.start("--replay", command.recording("many"), *args, stdout=writer)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        try:
            poll = select.poll()
            poll.register(writer, select.POLLOUT)
            while poll.poll(0):
                time.sleep(0.01)
        finally:
            os.close(writer)
        return process, reader

    def check_totals(self, process, pattern):
        messages = lines(process.stderr.read())
        self.assertEqual(process.wait(30), 0)
        self.assertRegex(messages[-1], pattern)

    def test_blocked_stdout(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process, _ = self.start_blocked()
            begin = time.monotonic()
            process.send_signal(number)
            self.check_totals(process, r"^masflow: \d+ events, 0 lost, .*not written")
            self.assertLess(time.monotonic() - begin, 5)

    def test_blocked_stdout_that_comes_back(self):
        process, reader = self.start_blocked()
        process.send_signal(signal.SIGINT)
        output = b""
        while chunk := os.read(reader, 65_536):
            output += chunk
        messages = lines(process.stderr.read())
        self.assertEqual(process.wait(30), 0)
        self.assertRegex(messages[-1], rf"^masflow: {output.count(10)} events, 0 lost")
        self.assertNotIn("not written", messages[-1])
        self.assertTrue(output.endswith(b"\n"))

    def test_two_signals_at_once_are_one(self):
        process, _ = self.start_blocked()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        self.check_totals(process, r"^masflow: \d+ events, 0 lost")

    def test_second_signal_ends_at_once(self):
        process, _ = self.start_blocked()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), -signal.SIGINT)
        self.assertLess(time.monotonic() - begin, 0.5)

    def test_duration_ends_a_blocked_one(self):
        process, _ = self.start_blocked("--duration", "200ms")
        self.check_totals(process, r"not written")


if __name__ == "__main__":
    unittest.main()
