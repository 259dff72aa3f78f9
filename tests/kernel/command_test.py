# SPDX-License-Identifier: Apache-2.0
"""The command on the running kernel, as an operator meets it.

Environment: MASFLOW is the path of the command. Needs root, setpriv, unshare, bpftool and
libbpf.so.1.
"""
import ctypes
import http.server
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

MASFLOW = os.environ["MASFLOW"]
DEADLINE_S = 30
SHELLS = 4
STORM = "i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done"


class Answer(http.server.BaseHTTPRequestHandler):
    """Of a server of other tests, too."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def wait_until(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Command:
    """The command at work; stdout goes to a file, so that it never blocks."""

    def __init__(self, *args, wrapper=(), stdout=None):
        self.out = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*wrapper, MASFLOW, *args], stdin=subprocess.DEVNULL,
            stdout=self.out if stdout is None else stdout, stderr=subprocess.PIPE)
        self.messages = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        self.out.close()

    def wait_ready(self):
        ready, _, _ = select.select([self.process.stderr], [], [], DEADLINE_S)
        line = self.process.stderr.readline().decode() if ready else "nothing"
        assert line.startswith("masflow: ready"), line
        return line

    def end(self, deadline_s=DEADLINE_S):
        """Waits for the end; the exit code."""
        self.messages = self.process.communicate(timeout=deadline_s)[1].decode().splitlines()
        return self.process.returncode

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def lines(self):
        """Also while it runs: the place in the file, which it shares, stays. A line that is not
        whole yet is not one."""
        text = os.pread(self.out.fileno(), os.fstat(self.out.fileno()).st_size, 0)
        return text[:text.rfind(b"\n") + 1].decode().splitlines()


def objects_of(pid):
    """The programs, maps and links that a process holds, as (kind, id)."""
    held = set()
    folder = f"/proc/{pid}/fdinfo"
    for name in os.listdir(folder):
        with open(f"{folder}/{name}", encoding="ascii") as info:
            fields = dict(line.split(":", 1) for line in info if ":" in line)
        for kind in ("link", "prog", "map"):  # a link shows its program's id, too
            if f"{kind}_id" in fields:
                held.add((kind, int(fields[f"{kind}_id"])))
                break
    return held


def existing():
    found = set()
    for kind in ("prog", "map", "link"):
        text = subprocess.run(["bpftool", "-j", kind, "show"], check=True,
                              capture_output=True).stdout
        found |= {(kind, item["id"]) for item in json.loads(text or b"[]")}
    return found


def storm(count):
    return [subprocess.Popen(["sh", "-c", STORM % count]) for _ in range(SHELLS)]


class Live(unittest.TestCase):
    def test_ls_is_one_line_with_its_arguments(self):
        with Command() as command:
            command.wait_ready()
            child = subprocess.Popen(["ls", "-la"], stdout=subprocess.DEVNULL)
            child.wait()
            self.assertEqual(command.interrupt(), 0)
            mine = [line for line in command.lines() if f" {child.pid} " in line]
            self.assertEqual(len(mine), 2, mine)
            self.assertRegex(mine[0], r"PROCESS Exec +%d ls +ls -la " % child.pid)
            self.assertRegex(mine[1], r"PROCESS Exit +%d ls +exit 0 after " % child.pid)

    def test_duration_ends_it(self):
        with Command("--duration", "100ms") as command:
            command.wait_ready()
            self.assertEqual(command.end(), 0)
            self.assertRegex(command.messages[-1], r"^masflow: \d+ events?, 0 lost")

    def test_json_lines_parse(self):
        with Command("--streams", "process", "--json", "--forks", "--failed",
                     "--snapshot") as command:
            command.wait_ready()
            subprocess.run(["sh", "-c", "/bin/true; exec ./no-such-program"], check=False,
                           stderr=subprocess.DEVNULL)
            self.assertEqual(command.interrupt(), 0)
            names = {json.loads(line)["event.name"] for line in command.lines()}
            self.assertEqual(names, {"process.exec", "process.exit", "process.fork"})

    def run_hostile(self, *args):
        """What the command shows of a process whose every text is hostile."""
        folder = tempfile.mkdtemp(prefix="masflow_command_")
        program = os.path.join(os.fsencode(folder), b"\x1b[31m\n\r\t\xff\\")
        hostile = [b"", b"\n\n", b"\x1b]0;title\x07", b"\xc3\x28\x9b", b"\x7f"]
        try:
            shutil.copy(shutil.which("true"), program)
            with Command("--tree", str(os.getpid()), *args) as command:
                command.wait_ready()
                subprocess.run([program, *hostile], check=True)
                self.assertEqual(command.interrupt(), 0)
                return command.lines()
        finally:
            shutil.rmtree(folder)

    def test_hostile_text_is_one_line_an_event(self):
        lines = self.run_hostile()
        self.assertEqual(len(lines), 2, lines)
        for line in lines:
            self.assertRegex(line, r"\A\d\d:\d\d:\d\d\.\d{6} PROCESS Ex[ -~]+\Z")

    def test_hostile_text_is_valid_json(self):
        exec_line, exit_line = (json.loads(line) for line in self.run_hostile("--json"))
        self.assertEqual(exec_line["process.command_args"][1:],
                         ["", "\n\n", "\x1b]0;title\x07", "\ufffd(\ufffd", "\x7f"])
        self.assertEqual(exec_line["masflow.comm"], "\x1b[31m\n\r\t\ufffd\\")
        self.assertEqual(exit_line["process.exit.code"], 0)

    def test_replay_shows_what_was_recorded(self):
        with tempfile.TemporaryDirectory() as folder:
            trace = os.path.join(folder, "trace.mfr")
            with Command("--tree", str(os.getpid()), "--record", trace) as command:
                command.wait_ready()
                subprocess.run(["sh", "-c", "/bin/true; /bin/false; kill -9 $$"], check=False)
                self.assertEqual(command.interrupt(), 0)
                recorded = command.lines()
            with Command("--replay", trace) as replay:
                self.assertEqual(replay.end(), 0, replay.messages)
                self.assertEqual(replay.lines(), recorded)
            self.assertEqual(len(recorded), 6, recorded)

    def test_storm_is_complete(self):
        with Command("--json", "--comm", "true") as command:
            command.wait_ready()
            shells = storm(5000)
            for shell in shells:
                shell.wait()
            self.assertEqual(command.interrupt(), 0)
            parents = {shell.pid for shell in shells}
            events = [event["event.name"] for event in map(json.loads, command.lines())
                      if event.get("process.parent_pid") in parents]
            self.assertEqual(events.count("process.exec"), SHELLS * 5000)
            self.assertEqual(events.count("process.exit"), SHELLS * 5000)
            self.assertIn(" 0 lost", command.messages[-1])

    def test_stopped_amid_a_storm_it_counts_and_is_exact_again(self):
        with Command("--streams", "process", "--comm", "true", "--ring-bytes", "64K") as command:
            command.wait_ready()
            command.process.send_signal(signal.SIGSTOP)
            for shell in storm(500):
                shell.wait()
            command.process.send_signal(signal.SIGCONT)
            made = SHELLS * 500

            def run(text):
                nonlocal made
                made += 1
                subprocess.run(["/bin/true", text], check=True)
                return shows(text)

            def shows(text):
                return sum(f"true {text} " in line for line in command.lines())

            # Until the ring has been read the kernel has no room.
            self.assertTrue(wait_until(lambda: run("again")))
            for number in range(20):
                run(f"number-{number}")
            self.assertEqual(command.interrupt(), 0)
            for number in range(20):
                self.assertEqual(shows(f"number-{number}"), 1)
            events, lost = re.match(r"masflow: (\d+) events, (\d+) lost \(ring full \d+\)$",
                                    command.messages[-1]).groups()
            lines = [line for line in command.lines() if " PROCESS " in line]
            self.assertEqual(int(events), len(lines))
            self.assertEqual(int(events) + int(lost), 2 * made, command.messages[-1])

    def test_reader_that_goes_ends_it_on_an_idle_machine(self):
        reader, writer = os.pipe()
        with Command("--comm", "no-such-comm", stdout=writer) as command:
            os.close(writer)
            command.wait_ready()
            os.close(reader)
            self.assertEqual(command.end(), 0)
            self.assertEqual(len(command.messages), 1, command.messages)


class LiveTcp(unittest.TestCase):
    def talk(self):
        """1,024 bytes one way over loopback, closed by the client; the two ports."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            accepted, (_, port) = server.accept()
            client.sendall(b"x" * 1024)
            client.close()
            with accepted:
                while accepted.recv(4096):
                    pass
            return port, server.getsockname()[1]

    def shown(self, *args):
        """What is shown of that, and of a connect to where nobody listens any more."""
        with Command("--streams", "tcp", *args) as command:
            command.wait_ready()
            ports = self.talk()
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", ports[1]))
            self.assertEqual(command.interrupt(), 0)
            self.assertIn(" 0 lost", command.messages[-1])
            mine = re.compile(rf' {os.getpid()} |"process.pid":{os.getpid()},')
            return ports, [line for line in command.lines() if mine.search(line)]

    def test_both_ends_of_a_connection(self):
        (source, destination), lines = self.shown()
        ends = f"127.0.0.1:{source} -> 127.0.0.1:{destination}  "
        for event in ("Connect .*" + ends + r"in [\d.]+[um]s",
                      "Accept .*" + ends + "queued ",
                      "Data .*" + ends + "tx=1024 rx=0 bytes",
                      "Data .*" + ends + "tx=0 rx=1024 bytes",
                      "Close .*" + ends + "fin by local, tx=1024 rx=0 bytes in ",
                      "Close .*" + ends + "fin by remote, tx=0 rx=1024 bytes in ",
                      f"Connect .* -> 127.0.0.1:{destination}  failed: ECONNREFUSED after "):
            found = [line for line in lines if re.search("TCP " + event, line)]
            self.assertEqual(len(found), 1, (event, lines))
        self.assertEqual(len(lines), 7, lines)

    def test_json_lines_parse(self):
        (source, destination), lines = self.shown("--json", "--listeners")
        events = [json.loads(line) for line in lines]
        self.assertEqual({event["process.pid"] for event in events}, {os.getpid()})
        self.assertEqual({event["destination.port"] for event in events}, {destination})
        of_one = [event for event in events if event.get("source.port") == source]
        self.assertEqual({event["masflow.role"] for event in of_one}, {"client", "server"})
        self.assertEqual(len({event["masflow.connection_id"] for event in of_one}), 2)
        self.assertEqual({event["event.name"] for event in events},
                         {"tcp.listen", "tcp.connect", "tcp.accept", "tcp.data", "tcp.close"})

    def test_data_by_call(self):
        (source, _), lines = self.shown("--data", "call", "--json")
        moved = [(event["masflow.tx_bytes"], event["masflow.rx_bytes"])
                 for event in map(json.loads, lines)
                 if event["event.name"] == "tcp.data" and event["source.port"] == source]
        self.assertEqual(sorted(moved), [(0, 1024), (1024, 0)])

    def test_open_before(self):
        with socket.create_server(("127.0.0.1", 0)) as server, \
                socket.create_connection(server.getsockname()) as client, server.accept()[0]:
            with Command("--pid", str(os.getpid()), "--json", "--streams", "tcp") as command:
                command.wait_ready()
                client.sendall(b"x" * 10)
                client.close()
                self.assertEqual(command.interrupt(), 0)
                events = [json.loads(line) for line in command.lines()]
        self.assertEqual(sorted(event["masflow.role"] for event in events
                                if event["event.name"] == "tcp.open"), ["client", "server"])
        self.assertTrue(all(event["masflow.pre_existing"] for event in events))


class LiveHttp(unittest.TestCase):
    def test_what_passed_before_the_stop_is_still_shown(self):
        exchanges = 2000
        request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        with socket.create_server(("127.0.0.1", 0)) as server, \
             Command("--streams", "http", "--port", str(server.getsockname()[1])) as command:
            command.wait_ready()
            command.process.send_signal(signal.SIGSTOP)  # so that all of it is yet to be read
            with socket.create_connection(server.getsockname()) as client:
                accepted, _ = server.accept()
                with accepted:
                    for _ in range(exchanges):
                        client.sendall(request)
                        self.assertEqual(accepted.recv(4096), request)
                        accepted.sendall(response)
                        self.assertEqual(client.recv(4096), response)
            command.process.send_signal(signal.SIGINT)
            command.process.send_signal(signal.SIGCONT)
            self.assertEqual(command.end(), 0)
            self.assertEqual(len(command.lines()), 2 * exchanges)
            self.assertEqual(command.messages[-1], f"masflow: {2 * exchanges} events, 0 lost")


class NothingIsLeft(unittest.TestCase):
    def end_amid_storm(self, end):
        with Command() as command:
            command.wait_ready()
            shells = storm(100000)
            try:
                pid = command.process.pid
                held = objects_of(pid)
                self.assertEqual({kind for kind, _ in held}, {"prog", "map", "link"})
                self.assertLessEqual(held, existing())
                self.assertTrue(wait_until(lambda: os.fstat(command.out.fileno()).st_size > 10000))
                code = end(command)
            finally:
                for shell in shells:
                    shell.kill()
                    shell.wait()
            self.assertTrue(wait_until(lambda: not held & existing()), held & existing())
            return code, command.messages, len(command.lines())

    def test_interrupt_amid_storm(self):
        code, messages, events = self.end_amid_storm(Command.interrupt)
        self.assertEqual(code, 0)
        self.assertTrue(messages[-1].startswith(f"masflow: {events} events, 0 lost"),
                        (events, messages))

    def test_kill_amid_storm(self):
        def kill(command):
            command.process.kill()
            return command.end()
        self.assertEqual(self.end_amid_storm(kill)[0], -signal.SIGKILL)


class Rights(unittest.TestCase):
    NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")

    def assert_refused(self, wrapper, expected):
        with Command(wrapper=wrapper) as command:
            self.assertEqual(command.end(), 1)
            self.assertEqual(len(command.messages), 1, command.messages)
            self.assertRegex(command.messages[0], expected)
            self.assertEqual(command.lines(), [])

    def assert_works(self, wrapper):
        with Command("--duration", "50ms", wrapper=wrapper) as command:
            self.assertEqual(command.end(), 0, command.messages)

    def test_without_capabilities(self):
        self.assert_refused(self.NOBODY, "CAP_BPF and CAP_PERFMON.*run as root")

    def test_without_one_of_them(self):
        for given, missing in (("bpf", "CAP_PERFMON"), ("perfmon", "CAP_BPF")):
            wrapper = (*self.NOBODY, f"--inh-caps=-all,+{given}", f"--ambient-caps=-all,+{given}")
            self.assert_refused(wrapper, f"^masflow: .*{missing} missing")

    def test_with_just_the_two(self):
        self.assert_works((*self.NOBODY, "--inh-caps=-all,+bpf,+perfmon",
                           "--ambient-caps=-all,+bpf,+perfmon"))

    def in_own_mounts(self, *commands):
        """A wrapper that changes the mounts for the command only."""
        return ("unshare", "--mount", "sh", "-ec", "; ".join((*commands, 'exec "$@"')), "sh")

    def test_without_btf(self):
        self.assert_refused(self.in_own_mounts("mount -t tmpfs none /sys/kernel/btf"),
                            "/sys/kernel/btf/vmlinux.*CONFIG_DEBUG_INFO_BTF")

    def test_without_tracefs(self):
        hide = ("mount -t tmpfs none /sys/kernel/tracing", "mount -t tmpfs none /sys/kernel/debug")
        self.assert_works(self.in_own_mounts(*hide))

    def test_tracefs_unreadable(self):
        self.assert_works(self.in_own_mounts("mount -t tmpfs -o mode=0 none /sys/kernel/tracing"))

    def test_without_locked_memory(self):
        self.assert_works(("sh", "-c", 'ulimit -l 0 && exec "$@"', "sh"))


class Costs(unittest.TestCase):
    def test_what_the_programs_took(self):
        # As the sysctl does, for as long as it is open.
        counting = ctypes.CDLL("libbpf.so.1").bpf_enable_stats(0)
        self.assertGreaterEqual(counting, 0)
        try:
            with Command("--streams", "process", "--costs") as command:
                command.wait_ready()
                subprocess.run(["true"], check=True)
                self.assertEqual(command.interrupt(), 0)
                self.assertRegex(command.messages[-1],
                                 r"^masflow: in the kernel: .*mf_exec [1-9]\d* runs, [1-9]\d* ns each")
        finally:
            os.close(counting)

    def test_without_the_sysctl_it_says_how(self):
        with Command("--costs", "--duration", "1ms") as command:
            self.assertEqual(command.end(), 0)
            self.assertIn("kernel.bpf_stats_enabled", command.messages[-1])


class Doctor(unittest.TestCase):
    def test_tells_each_hook(self):
        result = subprocess.run([MASFLOW, "doctor"], check=True, capture_output=True, text=True)
        for hook in ("process exec", "process exit", "process fork", "exec failure", "tcp state",
                     "tcp destroy", "tcp accept", "tcp connect error", "tcp send", "tcp receive"):
            self.assertIn(hook, result.stdout)


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("these tests need root")
    unittest.main()
