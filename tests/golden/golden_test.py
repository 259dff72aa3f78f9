#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command on recordings: stdout to the byte, and whether every line is what it claims.

With MASFLOW_UPDATE_GOLDEN=1 the files in expected/ are written anew instead of compared.
"""
import json
import os
import unicodedata
import unittest

import command

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected")
ALL = ("--forks", "--failed", "--snapshot")
PROCESSES = ("--streams", "process", *ALL)
TCP = ("--streams", "tcp", "--listeners")
HTTP = ("--streams", "http", "--header", "x-id", "--header", "Server", "--header=x-request-id")
# Scene, options, lines, and the totals.
SCENES = (
    ("ordinary", PROCESSES, 12, "12 events, 0 lost"),
    ("incomplete", PROCESSES, 7,
     "4 events, 126 lost (ring full 123, table full 1, hook missed 2), 1 damaged"),
    ("hostile", PROCESSES, 46, "46 events, 0 lost"),
    ("tcp", TCP, 25, "24 events, 3 lost (table full 3), 1 damaged"),
    ("talk", TCP, 9, "9 events, 0 lost"),
    ("http", HTTP, 42, "41 events, 2 lost (unread 2), 1 damaged"),
    ("tcp_calls", (*TCP, "--data", "call"), 5, "5 events, 0 lost"),
)
READY = {
    PROCESSES: "process: exec, exit, fork, failed exec",
    TCP: "tcp: connect, accept, data by interval, close, listen",
    HTTP: "http: exchanges",
    (*TCP, "--data", "call"): "tcp: connect, accept, data by call, close, listen",
}
# Of JSON keys beyond masflow.*: those of OpenTelemetry's conventions that are in use.
CONVENTIONS = {
    "timestamp", "event.name", "error.type", "process.pid", "process.parent_pid",
    "process.real_user.id", "process.user.id", "process.executable.name",
    "process.executable.path", "process.command_args", "process.exit.code",
    "source.address", "source.port", "destination.address", "destination.port",
    "network.transport", "network.type", "network.protocol.name", "network.protocol.version",
    "http.request.method", "http.request.method_original", "http.response.status_code",
    "http.request.body.size", "http.response.body.size", "url.scheme", "url.path", "url.query",
    "server.address", "server.port",
}
HEADERS = ("http.request.header.", "http.response.header.")
FALSE_IS_TOLD = {"masflow.accepted"}
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = {"\u200c", "\u200d"}  # scripts need them


class Golden(unittest.TestCase):
    maxDiff = None

    def check(self, name, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        file = os.path.join(EXPECTED, name)
        if os.environ.get("MASFLOW_UPDATE_GOLDEN"):
            os.makedirs(EXPECTED, exist_ok=True)
            with open(file, "wb") as output:
                output.write(result.stdout)
        with open(file, "rb") as expected:
            self.assertEqual(result.stdout.decode(), expected.read().decode())

    def check_lines(self, output, count):
        """One event is one line, and nothing in it moves a cursor or hides."""
        text = output.decode()  # raises if it is not UTF-8
        self.assertTrue(text.endswith("\n"))
        lines = text[:-1].split("\n")
        self.assertEqual(len(lines), count)
        for line in lines:
            hidden = [c for c in line if unicodedata.category(c) in INVISIBLE and c not in JOINERS]
            self.assertEqual(hidden, [], line)
        return lines

    def test_text(self):
        for scene, options, count, _ in SCENES:
            with self.subTest(scene):
                result = command.replay(scene, *options)
                self.check(f"{scene}.txt", result)
                self.check_lines(result.stdout, count)

    def test_json(self):
        for scene, options, count, _ in SCENES:
            with self.subTest(scene):
                result = command.replay(scene, "--json", *options)
                self.check(f"{scene}.json", result)
                for line in self.check_lines(result.stdout, count):
                    self.check_object(line)

    def check_object(self, line):
        pairs = json.loads(line, object_pairs_hook=list)
        keys = [key for key, _ in pairs]
        self.assertEqual(len(keys), len(set(keys)), line)
        self.assertEqual(keys[:2], ["timestamp", "event.name"])
        for key, value in pairs:
            self.assertTrue(key in CONVENTIONS or key.startswith(("masflow.", *HEADERS)), key)
            if key.startswith(HEADERS):
                self.assertTrue(value and all(isinstance(text, str) for text in value), line)
            self.assertIsNotNone(value, line)
            self.assertIsNot(value, key in FALSE_IS_TOLD, line)

    def test_totals(self):
        for scene, options, _, totals in SCENES:
            with self.subTest(scene):
                lines = command.replay(scene, *options).stderr.decode().splitlines()
                self.assertEqual(len(lines), 2, lines)
                self.assertRegex(lines[0], r"^masflow: ready \(" + READY[options] +
                                           r"; from .*\) in \d+ ms$")
                self.assertEqual(lines[1], f"masflow: {totals}")

    def test_totals_of_all_streams(self):
        lines = command.replay("ordinary").stderr.decode().splitlines()
        self.assertRegex(lines[0], r"^masflow: ready \(process: exec, exit; tcp: connect, accept, "
                                   r"data by interval, close; http: exchanges; from .*\) in \d+ ms$")
        self.assertEqual(lines[1], "masflow: 8 events, 0 lost: process 8 events, 0 lost; "
                                   "tcp 0 events, 0 lost; http 0 events, 0 lost")

    def test_color(self):
        result = command.replay("ordinary", "--color", "always")
        self.check("ordinary.color.txt", result)
        for variant in ((), ("--color", "auto"), ("--color", "never")):
            self.assertNotIn(b"\x1b", command.replay("ordinary", *variant).stdout)
        self.assertNotIn(b"\x1b", command.replay("hostile", "--json", "--color=always").stdout)

    def test_time_zone(self):
        lines = command.replay("ordinary", env=command.environment(TZ="XYZ-2")).stdout
        self.assertTrue(lines.startswith(b"14:34:56."), lines[:40])
        lines = command.replay("ordinary", "--json", env=command.environment(TZ="XYZ-2")).stdout
        self.assertIn(b'{"timestamp":"2026-01-01T12:34:56.', lines[:40])

    def pids(self, *filters):
        output = command.replay("ordinary", "--json", *ALL, *filters).stdout
        return [json.loads(line)["process.pid"] for line in output.splitlines()]

    def test_filters(self):
        self.assertEqual(self.pids("--pid", "12345"), [12345] * 3)
        self.assertEqual(self.pids("--pid", "12345,12348", "--comm", "ls"), [12345] * 2)
        self.assertEqual(self.pids("--pid", "12345", "--pid", "12348"), [12345] * 3 + [12348])
        self.assertEqual(self.pids("--comm", "sudo", "--comm", "3"), [12348, 12350, 12350])
        self.assertEqual(self.pids("--uid", "0"), [])
        self.assertEqual(len(self.pids("--uid", "1000")), 12)
        self.assertEqual(self.pids("--tree", "12346")[0], 12346)

    def count(self, *filters):
        return command.replay("tcp", *TCP, *filters).stdout.count(b" TCP ")

    def test_tcp_filters(self):
        self.assertEqual(self.count(), 24)
        self.assertEqual(self.count("--pid", "701"), 3)
        self.assertEqual(self.count("--comm", "curl", "--remote-port", "443"), 2)
        self.assertEqual(self.count("--port", "40001,40008"), 4)
        self.assertEqual(self.count("--local-port", "443"), 0)
        self.assertEqual(self.count("--no-loopback"), 21)
        self.assertEqual(self.count("--address", "198.51.100.0/24", "--address", "fd00::1"), 3)

    def exchanges(self, *filters):
        """The requests that are left, and the totals."""
        result = command.replay("http", "--streams", "http", *filters)
        return (result.stdout.count(b" HTTP "),
                result.stderr.decode().splitlines()[-1].removeprefix("masflow: "))

    def test_http_filters(self):
        self.assertEqual(self.exchanges()[0], 41)
        self.assertEqual(self.exchanges("--status", "404,5xx"),
                         (2, "2 events, 2 lost (unread 2), 39 filtered out, 1 damaged"))
        self.assertEqual(self.exchanges("--status", "1xx", "--status", "201")[0], 2)
        self.assertEqual(self.exchanges("--host", "EXAMPLE.ORG", "--status", "201")[0], 1)
        self.assertEqual(self.exchanges("--host", "example.org:8080")[0], 1)
        self.assertEqual(self.exchanges("--host", "example")[0], 0)
        self.assertEqual(self.exchanges("--min-latency", "25ms")[0], 3)
        self.assertEqual(self.exchanges("--comm", "curl", "--status", "405")[0], 1)
        self.assertEqual(self.exchanges("--remote-port", "80")[0], 3)

    def test_http_queries(self):
        for mode, query in (("keep", b"?sort=up&token=abc "), ("keys", b"?sort&token "),
                            ("drop", b" ")):
            output = command.replay("http", "--query", mode).stdout
            self.assertIn(b"POST /api/items" + query + b"201 ", output)

    def test_tcp_events_that_were_not_asked_for(self):
        names = [json.loads(line)["event.name"] for line in
                 command.replay("tcp", "--json", "--no-open", "--data=off").stdout.splitlines()]
        self.assertEqual(set(names), {"tcp.connect", "tcp.accept", "tcp.close", "loss"})

    def test_what_was_not_asked_for_is_not_shown(self):
        names = [json.loads(line)["event.name"] + ("!" if "error.type" in json.loads(line) else "")
                 for line in command.replay("ordinary", "--json").stdout.splitlines()]
        self.assertNotIn("process.fork", names)
        self.assertNotIn("process.exec!", names)

    def test_recording_of_a_replay_is_the_same(self):
        copy = command.path("copy.mfr")
        first = command.replay("ordinary", "--json", "--record", copy, *ALL)
        second = command.run("--replay", copy, "--json", *ALL)
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertEqual(first.stdout, second.stdout)
        self.assertEqual(os.stat(copy).st_mode & 0o777, 0o600)

    def test_cut_recording_shows_what_is_whole(self):
        whole = command.replay("ordinary", *PROCESSES).stdout.splitlines()
        with open(command.recording("ordinary"), "rb") as file:
            data = file.read()
        cut = command.path("cut.mfr")
        with open(cut, "wb") as file:
            file.write(data[:len(data) * 2 // 3])
        result = command.run("--replay", cut, *PROCESSES)
        self.assertEqual(result.returncode, 1)
        lines = result.stdout.splitlines()
        self.assertEqual(lines, whole[:len(lines)])
        self.assertTrue(0 < len(lines) < len(whole))
        messages = result.stderr.decode().splitlines()
        self.assertEqual(len(messages), 3, messages)
        self.assertIn(cut, messages[1])
        self.assertEqual(messages[2], f"masflow: {len(lines)} events, 0 lost")


if __name__ == "__main__":
    unittest.main()
