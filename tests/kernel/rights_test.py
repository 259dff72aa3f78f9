# SPDX-License-Identifier: Apache-2.0
"""Which rights the command needs, and what is left of them once it is at work.

Environment: MASFLOW is the path of the command, MF_INTRUDER that of the library that tries to do
what the command shall not be able to. Needs root and setpriv.
"""
import http.server
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.request

from command_test import Answer, Command, wait_until

INTRUDER = os.environ["MF_INTRUDER"]
NOBODY = 65534
CAP_DAC_READ_SEARCH = 2
STREAMS = {
    "process": {"process.exec", "process.exit"},
    "tcp": {"tcp.connect", "tcp.accept", "tcp.data", "tcp.close"},
    "http": {"http.exchange"},
}


def nobody(*capabilities):
    """A wrapper: another user, with just these capabilities."""
    sets = "".join(f",+{name}" for name in capabilities)
    return ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
            "--bounding-set=-all" + sets, "--inh-caps=-all" + sets, "--ambient-caps=-all" + sets)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


class Scene:
    """Something of each stream: a process, and an exchange on a connection that stays open until
    the bytes of an interval were told."""

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def play(self, command, names):
        """Which of those events came; plays until all did."""
        seen = set()

        def come():
            subprocess.run(["/bin/true"], check=True)
            with socket.create_connection(("127.0.0.1", self.server.server_port)) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                while not client.recv(4096).endswith(b"ok"):
                    pass
                # While it is open only the walk over all connections tells of its bytes.
                port = client.getsockname()[1]
                if "tcp.data" in names and not wait_until(lambda: any(
                        event["event.name"] == "tcp.data" and event.get("source.port") == port
                        for event in map(json.loads, command.lines()))):
                    return False
            seen.update(json.loads(line)["event.name"] for line in command.lines())
            return names <= seen

        wait_until(come)
        return seen & names


class Rights(unittest.TestCase):
    def assert_all_come(self, names, *args, wrapper=()):
        """The command's status in /proc while it shows all of this."""
        if "tcp.data" in names:
            args = ("--interval", "50ms", *args)
        with Scene() as scene, Command("--json", *args, wrapper=wrapper) as command:
            command.wait_ready()
            self.assertEqual(scene.play(command, names), names)
            status = status_of(command.process.pid)
            self.assertEqual(command.interrupt(), 0, command.messages)
            return status

    def assert_bare(self, status, kept=0):
        self.assertEqual({int(status[name], 16) for name in ("CapPrm", "CapEff")}, {kept}, status)
        self.assertEqual({int(status[name], 16) for name in ("CapInh", "CapAmb")}, {0}, status)
        self.assertEqual(status["NoNewPrivs"], "1")


class Needed(Rights):
    """Experiments: the least with which each stream works."""

    def test_two_capabilities_do_for_each_stream(self):
        for stream, names in STREAMS.items():
            with self.subTest(stream):
                self.assert_bare(self.assert_all_come(names, "--streams", stream,
                                                      wrapper=nobody("bpf", "perfmon")))

    def test_neither_can_be_spared(self):
        for stream in STREAMS:
            for given in ("bpf", "perfmon"):
                with self.subTest(f"{stream} with {given} only"), \
                        Command("--streams", stream, wrapper=nobody(given)) as command:
                    self.assertEqual(command.end(), 1)
                    self.assertIn("missing", command.messages[0])


class Given(Rights):
    ALL = set().union(*STREAMS.values())

    def test_root_keeps_no_capability(self):
        status = self.assert_all_come(self.ALL)
        self.assert_bare(status)
        self.assertEqual(int(status["CapBnd"], 16), 0)
        self.assertEqual(status["Uid"].split(), ["0"] * 4)
        self.assertEqual(status["Seccomp"], "0")

    def test_another_user(self):
        status = self.assert_all_come(self.ALL, "--user", str(NOBODY))
        self.assert_bare(status)
        self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
        self.assertEqual(status["Gid"].split(), [str(NOBODY)] * 4)
        self.assertEqual(status["Groups"].split(), [])

    def test_another_user_and_few_system_calls(self):
        status = self.assert_all_come(self.ALL, "--user", "nobody", "--seccomp")
        self.assert_bare(status)
        self.assertEqual(status["Seccomp"], "2")

    def test_few_system_calls_with_all_options(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assert_all_come(
                self.ALL | {"tcp.listen", "process.fork"}, "--seccomp", "--snapshot", "--forks",
                "--failed", "--listeners", "--record", os.path.join(folder, "trace.mfr"))

    def test_few_system_calls_after_more_than_the_ring_holds(self):
        with Scene() as scene, Command("--json", "--streams", "http", "--ring-bytes", "64K",
                                       "--seccomp") as command:
            command.wait_ready()
            command.process.send_signal(signal.SIGSTOP)
            url = f"http://127.0.0.1:{scene.server.server_port}/"
            for _ in range(300):  # each with a connection that ends, which takes another way then
                with urllib.request.urlopen(url) as answer:
                    answer.read()
            command.process.send_signal(signal.SIGCONT)
            self.assertEqual(scene.play(command, {"http.exchange"}), {"http.exchange"})
            self.assertEqual(command.interrupt(), 0, command.messages)
            self.assertIn("ring full", command.messages[-1])

    def test_user_that_it_may_not_become(self):
        with Command("--user", "1", wrapper=nobody("bpf", "perfmon")) as command:
            self.assertEqual(command.end(), 1)
            self.assertRegex(command.messages[0], "--user, which needs CAP_SETUID and CAP_SETGID")
            self.assertEqual(command.lines(), [])

    def test_user_that_there_is_not(self):
        with Command("--user", "no-such-user") as command:
            self.assertEqual(command.end(), 2)


class PodLogs(Rights):
    """The kubelet's log directory is followed all the time; it is root's."""

    UID = "0b5e7c54-1d9c-4c62-9f0a-3f6b0c1d2e3f"

    def named(self, mode, *args):
        """Whether a pod that comes later is found, and the capabilities that were kept."""
        with tempfile.TemporaryDirectory() as logs:
            os.chmod(logs, 0o755)
            pods = os.path.join(logs, "pods")
            os.mkdir(pods)
            os.chmod(pods, mode)
            trace = os.path.join(logs, "trace.mfr")
            with Command("--log-dir", logs, "--record", trace, *args) as command:
                command.wait_ready()
                kept = int(status_of(command.process.pid)["CapEff"], 16)
                os.mkdir(os.path.join(pods, f"shop_web-1_{self.UID}"))

                def told():
                    subprocess.run(["/bin/true"], check=True)  # so that there is a turn
                    with open(trace, "rb") as file:
                        return self.UID.encode() in file.read()

                found = wait_until(told)
                self.assertEqual(command.interrupt(), 0, command.messages)
                return found, kept

    def test_open_to_all(self):
        self.assertEqual(self.named(0o755, "--user", "nobody", "--seccomp"), (True, 0))

    def test_of_root_only_for_root(self):
        self.assertEqual(self.named(0o750, "--seccomp"), (True, 0))

    def test_of_root_only_for_another_user(self):
        self.assertEqual(self.named(0o750, "--user", "nobody", "--seccomp"),
                         (True, 1 << CAP_DAC_READ_SEARCH))


class Intruder(unittest.TestCase):
    def intrude(self, what, *args):
        """Exit code, and what the intruder says came of it."""
        wrapper = ("env", f"LD_PRELOAD={INTRUDER}", f"MF_INTRUDE={what}")
        with Command("--duration", "300ms", *args, wrapper=wrapper) as command:
            code = command.end()
            told = [line for line in command.messages if line.startswith("intruder: ")]
            return code, [line.removeprefix("intruder: ") for line in told]

    def test_can_do_nothing_with_the_rights_that_are_left(self):
        for what in ("load", "root", "shadow", "trace"):
            with self.subTest(what):
                code, told = self.intrude(what, "--user", "nobody")
                self.assertEqual(code, 0)
                self.assertIn(told, (["EPERM"], ["EACCES"]))

    def test_root_without_capabilities_loads_nothing(self):
        self.assertEqual(self.intrude("load"), (0, ["EPERM"]))

    def test_other_system_calls_end_it(self):
        for what in ("load", "root", "socket", "write", "code", "exec", "trace"):
            with self.subTest(what):
                self.assertEqual(self.intrude(what, "--seccomp"), (-signal.SIGSYS, []))

    def test_the_same_are_possible_without(self):
        for what in ("socket", "write", "code"):
            with self.subTest(what):
                self.assertEqual(self.intrude(what), (0, ["worked"]))


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("these tests need root")
    unittest.main()
