# SPDX-License-Identifier: Apache-2.0
"""Credentials in HTTP heads are in nothing that the command gives out or keeps.

Environment: MASFLOW is the path of the command. Needs root.
"""
import os
import re
import secrets
import socket
import tempfile
import unittest

from command_test import Command, wait_until

KEEP_ALIVE = 20


def dumped(pid):
    """What a core dump would hold, as (name, bytes): the mappings that are not left out of it."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        text = file.read()
    parts = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.MULTILINE)[1:]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for part in parts:
            head, flags = part.split("\n", 1)[0], re.search(r"VmFlags: (.*)", part)[1].split()
            begin, end = (int(x, 16) for x in head.split()[0].split("-"))
            if "rd" not in flags or "dd" in flags or "io" in flags:
                continue
            found = b""
            memory.seek(begin)
            while len(found) < end - begin:
                piece = memory.read(end - begin - len(found))
                if not piece:
                    break
                found += piece
            yield head, found


class Peer:
    """A server and its clients, which say just what they are told."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def talk(self, exchanges):
        """On one connection, the request in two calls."""
        with socket.create_connection(("127.0.0.1", self.port)) as client, \
                self.server.accept()[0] as server:
            for request, response in exchanges:
                for part in (request[:len(request) // 2], request[len(request) // 2:]):
                    client.sendall(part)
                    self.hear(server, len(part))
                server.sendall(response)
                self.hear(client, len(response))

    @staticmethod
    def hear(side, size):
        while size > 0:
            size -= len(side.recv(size))


class Secrets(unittest.TestCase):
    def setUp(self):
        self.canary = secrets.token_hex(16).encode()  # of this run only: nothing else has it
        self.query = secrets.token_hex(16).encode()

    def exchange(self, number):
        request = (b"GET /a%d?token=%b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %b\r\n"
                   b"Cookie: session=%b\r\nProxy-Authorization: Basic %b\r\n"
                   b"X-Id: visible%d\r\n\r\n" % (number, self.query, *[self.canary] * 3, number))
        response = (b"HTTP/1.1 200 OK\r\nSet-Cookie: session=%b\r\nContent-Length: 2\r\n\r\nok"
                    % self.canary)
        return request, response

    def run_and_scan(self, *args):
        """stdout and the recording, whole, and the names of mappings with a credential."""
        with tempfile.TemporaryDirectory() as folder, Peer() as peer:
            trace = os.path.join(folder, "trace.mfr")
            with Command("--streams", "http", "--json", "--header", "x-id", "--pid",
                         str(os.getpid()), "--record", trace, *args) as command:
                command.wait_ready()
                for begin in range(0, 5 * KEEP_ALIVE, KEEP_ALIVE):
                    peer.talk([self.exchange(begin + i) for i in range(KEEP_ALIVE)])
                self.assertTrue(wait_until(
                    lambda: len(command.lines()) == 2 * 5 * KEEP_ALIVE), len(command.lines()))
                kept = [name for name, content in dumped(command.process.pid)
                        if self.canary in content]
                self.assertEqual(command.interrupt(), 0)
                shown = "\n".join(command.lines())
                told = "\n".join(command.messages)
            self.assertEqual(os.stat(trace).st_mode & 0o7777, 0o600)
            with open(trace, "rb") as file:
                return shown.encode() + told.encode(), file.read(), kept

    def test_credentials_are_in_no_output_no_file_and_no_core(self):
        shown, recorded, kept = self.run_and_scan()
        self.assertIn(b"visible99", shown)
        self.assertIn(b"visible99", recorded)
        self.assertIn(self.query, recorded)
        self.assertNotIn(self.canary, shown)
        self.assertNotIn(self.canary, recorded)
        self.assertEqual(kept, [])

    def test_dropped_queries_are_in_no_output_and_no_file(self):
        for mode in ("drop", "keys"):
            with self.subTest(mode):
                shown, recorded, _ = self.run_and_scan("--query", mode)
                self.assertIn(b"/a99", shown)
                self.assertIn(b"/a99?", recorded)
                self.assertNotIn(self.query, shown)
                self.assertNotIn(self.query, recorded)
                self.assertEqual(b"token" in recorded, mode == "keys")


class Scan(unittest.TestCase):
    def test_finds_what_is_there(self):
        needle = secrets.token_bytes(24)
        self.assertTrue(any(needle in content for _, content in dumped(os.getpid())))


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("these tests need root")
    unittest.main()
