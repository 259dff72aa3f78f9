# SPDX-License-Identifier: Apache-2.0
"""Processes, requests and cgroups whose every text wants to be something else.

Environment: MASFLOW is the path of the command. Needs root.
"""
import codecs
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import unittest

from command_test import Command, wait_until
from secrets_test import Peer
from workloads_test import cgroup_mount

LONG = 100_000
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = {"\u200c", "\u200d"}  # scripts need them
TEXTS = (
    b"\x1b[2K\x1b[1A", b"\x1b]0;owned\x07", b"two\nlines", b"\r12:00:00.000000 PROCESS Exec 1",
    b"\x9b31m", b"\xc2\x9b31m", "a\u202etxt.sh".encode(), "x\u2028y".encode(), b"\xff\xfe\xc0\xaf",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"cut \xe2\x82", b"%s%n%1000000d%99$s", b"{}{0}%(a)s",
    b"\"},{\"event.name\":\"loss\"}", b"\\u0041\\", b"$(reboot)`id`;|&", b"\x7f\x01\x1f\b\v\f",
)
# Each byte that is no UTF-8 becomes one U+FFFD.
codecs.register_error("each byte", lambda e: ("\ufffd" * (e.end - e.start), e.end))

# What renames itself to argv[1] and overwrites its own arguments by prctl, then ends.
RENAMER = """
import ctypes, os, sys
name = os.fsencode(sys.argv[1])
ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
with open("/proc/self/stat", "rb") as file:
    begin, end = map(int, file.read().rsplit(b")", 1)[1].split()[45:47])
ctypes.memset(begin, ord("Z"), end - begin - 1)
os._exit(7)
"""


class Hostile(unittest.TestCase):
    def shown(self, play, *args, enough):
        """The lines that are shown while `play` runs, as text and as JSON, checked."""
        for form in ((), ("--json",)):
            with Command(*form, *args) as command:
                command.wait_ready()
                play()
                self.assertTrue(wait_until(lambda: len(command.lines()) >= enough),
                                len(command.lines()))
                self.assertEqual(command.interrupt(), 0, command.messages)
                self.assertIn(" 0 lost", command.messages[-1])
                command.out.seek(0)
                lines = command.out.read().decode().split("\n")  # raises if it is no UTF-8
                self.assertEqual(lines.pop(), "")
                for line in lines:
                    hidden = [c for c in line if unicodedata.category(c) in INVISIBLE]
                    self.assertEqual([c for c in hidden if c not in JOINERS], [], line[:300])
                    if not form:
                        self.assertRegex(line, r"\A\d\d:\d\d:\d\d\.\d{6} [A-Z]+ ")
                yield [json.loads(line) for line in lines] if form else lines

    def test_arguments_and_paths(self):
        folder = tempfile.mkdtemp(prefix="masflow_hostile_")
        names = [os.path.join(os.fsencode(folder), text.replace(b"/", b"_")[:200])
                 for text in TEXTS]
        for name in names:
            shutil.copy(shutil.which("true"), name)

        def play():
            for name in names:
                subprocess.run([name, *TEXTS, b"A" * LONG], check=True)

        try:
            text, events = self.shown(play, "--streams", "process", "--tree", str(os.getpid()),
                                      enough=2 * len(names))
        finally:
            shutil.rmtree(folder)
        self.assertEqual(len(text), 2 * len(names))
        self.assertEqual(len(events), 2 * len(names))
        for event, name in zip(events[::2], names):
            self.assertEqual(event["event.name"], "process.exec")
            self.assertEqual(event["process.executable.path"], name.decode(errors="each byte"))
            self.assertEqual(event["process.command_args"][1:1 + len(TEXTS)],
                             [text.decode(errors="each byte") for text in TEXTS])
            self.assertTrue(event["masflow.args_truncated"])
            self.assertGreater(event["masflow.args_total_bytes"], LONG)

    def test_process_that_renames_itself_and_changes_its_arguments(self):
        def play():
            for text in TEXTS:
                code = subprocess.run([sys.executable, "-c", RENAMER, text],
                                      check=False).returncode
                self.assertEqual(code, 7)

        text, events = self.shown(play, "--streams", "process", "--tree", str(os.getpid()),
                                  enough=2 * len(TEXTS))
        self.assertEqual(len(text), 2 * len(TEXTS))
        for begin, end, name in zip(events[::2], events[1::2], TEXTS):
            # The exec: what was passed. The exit: the name it gave itself, the same identity.
            self.assertEqual(begin["process.command_args"][3], name.decode(errors="each byte"))
            self.assertTrue(begin["masflow.comm"].startswith("python"), begin)
            self.assertEqual(end["masflow.comm"], name[:15].decode(errors="each byte"))
            for key in ("process.pid", "masflow.process_start_ns"):
                self.assertEqual(begin[key], end[key])

    def test_requests_and_responses(self):
        # In a head a line end ends the header, and a space the target.
        values = [re.sub(rb"[\r\n\0]", b"_", text) for text in TEXTS]
        exchanges = [(b"GET /%b?%b HTTP/1.1\r\nHost: %b\r\nX-Id: %b\r\n\r\n"
                      % (value.replace(b" ", b"_"), value.replace(b" ", b"_"), value, value),
                      b"HTTP/1.1 200 %b\r\nX-Id: %b\r\nContent-Length: 0\r\n\r\n" % (value, value))
                     for value in values]
        with Peer() as peer:
            text, events = self.shown(
                lambda: peer.talk(exchanges), "--streams", "http", "--header", "x-id", "--pid",
                str(os.getpid()), enough=2 * len(values))
        self.assertEqual(len(text), 2 * len(values))
        for role in ("client", "server"):
            of_one = [event for event in events if event["masflow.role"] == role]
            for kind in ("request", "response"):
                self.assertEqual([event[f"http.{kind}.header.x-id"] for event in of_one],
                                 [[v.decode(errors="each byte").strip(" \t")] for v in values])

    def test_target_of_100_kilobytes(self):
        request = b"GET /" + b"\x1b[31m" * (LONG // 5) + b" HTTP/1.1\r\nHost: h\r\n\r\n"
        with Peer() as peer:
            text, events = self.shown(
                lambda: peer.talk([(request, b"HTTP/1.1 414 No\r\nContent-Length: 0\r\n\r\n")]),
                "--streams", "http", "--pid", str(os.getpid()), enough=2)
        self.assertEqual(len(text), 2)
        for event in events:
            self.assertTrue(event["masflow.request_head_truncated"])
            self.assertTrue(event["url.path"].startswith("/\x1b[31m\x1b"))

    def test_cgroups(self):
        # cgroupfs takes all but a line end and a slash.
        texts = [text.replace(b"\n", b"_").replace(b"/", b"_").decode(errors="surrogateescape")
                 for text in TEXTS]
        containers = [os.urandom(32).hex(), os.urandom(32).hex()]
        mount = cgroup_mount()
        made, leaves = [], []
        for text in texts:
            folder = os.path.join(mount, f"mf_{os.getpid()}_{text}")
            for part in ("", "docker", containers[0], "docker", containers[1]):
                folder = os.path.join(folder, part) if part else folder
                made.append(folder)
            leaves.append(folder)

        def play():
            for leaf in leaves:
                subprocess.run(["sh", "-c", 'echo 0 > "$0/cgroup.procs"; exec true', leaf],
                               check=True)

        try:
            for folder in made:
                os.mkdir(folder)
            text, events = self.shown(play, "--streams", "process", "--comm", "true",
                                      "--container", containers[1], enough=2 * len(leaves))
        finally:
            for folder in reversed(made):
                if os.path.isdir(folder):
                    self.assertTrue(wait_until(lambda f=folder: removed(f)), folder)
        self.assertEqual(len(text), 2 * len(leaves))
        outer = [event["masflow.outer_cgroup"] for event in events
                 if event["event.name"] == "process.exec"]
        self.assertEqual(outer, [f"/mf_{os.getpid()}_{text}/docker/{containers[0]}".encode(
            errors="surrogateescape").decode(errors="each byte") for text in texts])


def removed(folder):
    try:
        os.rmdir(folder)
    except OSError:  # busy: its processes are on their way out
        return False
    return True


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("these tests need root")
    unittest.main()
