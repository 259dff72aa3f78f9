#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each example program on a recorded scene.

Environment: EXAMPLES is their folder, MAKE_RECORDING the program that makes the recording.
"""
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import unittest

EXAMPLES = pathlib.Path(os.environ["EXAMPLES"])
EXPECTED = pathlib.Path(__file__).resolve().parent / "expected"
ENVIRONMENT = {**os.environ, "TZ": "UTC"}


class Examples(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="masflow-examples-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.recording = cls.record("ordinary")

    @classmethod
    def record(cls, scene):
        recording = os.path.join(cls.folder, f"{scene}.mfr")
        subprocess.run([os.environ["MAKE_RECORDING"], scene, recording], check=True)
        return recording

    def stdout(self, name, *args, recording=None, stderr=""):
        result = subprocess.run([EXAMPLES / name, *args, recording or self.recording],
                                env=ENVIRONMENT,
                                capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((0, stderr), (result.returncode, result.stderr))
        return result.stdout.splitlines()

    def test_print_events(self):
        lines = (EXPECTED / "ordinary.txt").read_text(encoding="utf-8").splitlines()
        wanted = [line for line in lines if " PROCESS Exec " in line or " PROCESS Exit " in line]
        self.assertEqual(wanted, self.stdout("print_events"))

    def test_print_events_of_connections(self):
        lines = (EXPECTED / "talk.txt").read_text(encoding="utf-8").splitlines()
        self.assertEqual(lines, self.stdout("print_events", recording=self.record("talk")))

    def test_connections(self):
        self.assertEqual(
            ["700 sshd <- 10.0.0.9: 1 connection, 48 bytes sent, 36 received",
             "901 nginx <- 1300 curl at 127.0.0.1: 1 connection, 5000 bytes sent, 100 received",
             "1300 curl -> 901 nginx at 127.0.0.1:8080: 1 connection, 100 bytes sent, 0 received",
             "--"],
            self.stdout("connections", recording=self.record("talk")))
        self.assertEqual(["--"], self.stdout("connections"))

    def test_print_events_of_exchanges(self):
        lines = self.stdout("print_events", recording=self.record("http_routes"))
        self.assertEqual(7, len(lines))
        self.assertIn(" HTTP                901 nginx            GET /users/42 200 0.900ms  server ",
                      lines[0])

    def test_access_log(self):
        recording = self.record("http_routes")
        lines = self.stdout("access_log", recording=recording)
        self.assertEqual(6, len(lines))
        self.assertRegex(lines[1], r'^10\.0\.0\.9 - - \[01/Jan/2026:12:34:56 \+0000\] '
                                   r'"GET /users/7\?full=1 HTTP/1\.1" 200 612$')
        self.assertTrue(lines[5].endswith('"GET /slow HTTP/1.1" - -'), lines[5])
        self.assertRegex("\n".join(self.stdout("access_log", "--role", "client",
                                               recording=recording)),
                         r'^10\.0\.0\.7 - - \[[^]]*\] "GET /out HTTP/1\.1" 200 612$')
        for line in self.stdout("access_log", recording=self.record("http"),
                                stderr="access_log: lost 2 (unread)\n"):
            self.assertRegex(line, r'^10\.0\.0\.9 - - \[[^]]*\] "(\\.|[^"\\])*" (\d+|-) (\d+|-)$')

    def test_latency_histogram(self):
        recording = self.record("http_routes")
        head = "   <=1ms  <=10ms <=100ms    <=1s    more    none  route"
        self.assertEqual([head,
                          "       0       0       0       0       1       0  GET /blobs/{}/meta",
                          "       0       0       1       0       0       0  GET /cafe/menu",
                          "       0       0       0       0       0       1  GET /slow",
                          "       2       1       0       0       0       0  GET /users/{}"],
                         self.stdout("latency_histogram", recording=recording))
        self.assertEqual([head,
                          "       2       1       0       0       0       0  GET /users/{}",
                          "       0       0       1       0       1       1  other"],
                         self.stdout("latency_histogram", "--routes", "1", recording=recording))

    def test_epoll_loop(self):
        self.assertEqual(["1 3", "1 backup.sh", "1 ls", "1 sudo", "--"],
                         self.stdout("epoll_loop"))

    def test_coroutine(self):
        self.assertEqual(["12345 ls", "12346 backup.sh"], self.stdout("coroutine", "2"))
        self.assertEqual(["12345 ls", "12346 backup.sh", "12348 sudo", "12350 3"],
                         self.stdout("coroutine", "100"))

    def test_embed_asio_server(self):
        with subprocess.Popen([EXAMPLES / "embed_asio_server", "0", self.recording],
                              stdout=subprocess.PIPE, text=True) as server:
            self.addCleanup(server.kill)
            port = int(server.stdout.readline().removeprefix("listening on port "))
            answer = ""
            while not answer.startswith("4 started, 4 ended"):  # the recording is being played
                with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                    answer = connection.makefile().read()
            self.assertEqual("4 started, 4 ended, 3 of them failed, 0 not seen; last: 3\n", answer)
            server.send_signal(signal.SIGINT)
            self.assertEqual(0, server.wait(timeout=10))

    def test_recording_that_is_none(self):
        for name, *args in (("print_events",), ("connections",), ("epoll_loop",), ("coroutine", "1"),
                            ("access_log",), ("latency_histogram",),
                            ("embed_asio_server", "0")):
            with self.subTest(name):
                result = subprocess.run([EXAMPLES / name, *args, "/nonexistent.mfr"],
                                        capture_output=True, text=True, timeout=30, check=False)
                self.assertEqual((1, ""), (result.returncode, result.stdout))
                self.assertRegex(result.stderr, rf"^{name}: .*/nonexistent\.mfr.*\n$")


if __name__ == "__main__":
    unittest.main()
