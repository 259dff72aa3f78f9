# SPDX-License-Identifier: Apache-2.0
"""The command beside real containers (and in one), in the cgroups and with the log directories of pods.

Environment: MASFLOW is the path of the command. Needs root, runc and busybox (a static one).
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import uuid

from command_test import Command, DEADLINE_S, MASFLOW, wait_until
from http_servers_test import free_port, listens

SHORT_LIVED = 500
HUGE = 99_000  # with room below the limit
HUGE_BYTES = 200 << 20
BUSYBOX = shutil.which("busybox")
DAEMONSET = os.path.join(os.path.dirname(__file__), "../../docs/deploy/daemonset.yaml")


def cgroup_mount():
    """Where the hierarchy is whose ids the command shows."""
    with Command("doctor") as doctor:
        assert doctor.end() == 0
        line = next(line for line in doctor.lines() if line.startswith("cgroup ids"))
    return line.rsplit(" at ", 1)[1]


def hierarchies():
    with open("/proc/self/mounts", encoding="ascii") as file:
        mounts = [line.split() for line in file]
    return [mount for _, mount, kind, *_ in mounts if kind in ("cgroup", "cgroup2")]


class Pod:
    """The directories that a kubelet makes for a pod."""

    def __init__(self, node, name, namespace="shop", uid=None):
        self.node = node
        self.name = name
        self.namespace = namespace
        self.uid = uid or str(uuid.uuid4())
        self.cgroup = f"/kubepods/burstable/pod{self.uid}"
        self.logs = f"{node.logs}/pods/{namespace}_{name}_{self.uid}"
        os.mkdir(self.logs)
        node.make_cgroup(self.cgroup)

    def cgroup_of(self, container_id):
        return f"{self.cgroup}/{container_id}"


class Node:
    """A kubelet's directories, in a place of their own; what is made is taken away at the end."""

    def __init__(self):
        self.mount = cgroup_mount()
        self.folder = tempfile.mkdtemp(prefix="masflow_workloads_")
        self.logs = os.path.join(self.folder, "log")
        os.makedirs(os.path.join(self.logs, "pods"))
        os.makedirs(os.path.join(self.logs, "containers"))
        self.made = []
        self.busybox = shutil.copy(BUSYBOX, self.folder)  # for links to it: containers are many

    def make_cgroup(self, path):
        parts = path.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            part = "/".join(parts[:count])
            if not os.path.isdir(self.directory(part)):
                os.mkdir(self.directory(part))
                self.made.append(part)
        return self.directory(path)

    def directory(self, path):
        return os.path.join(self.mount, path.strip("/"))

    def close(self):
        # runc makes them in every hierarchy, and takes only the last part away.
        for part in reversed(self.made):
            for mount in hierarchies():
                if mount != self.mount and os.path.isdir(f"{mount}/{part}"):
                    self.removed(f"{mount}/{part}")  # unless somebody else has one below
            directory = self.directory(part)
            if os.path.isdir(directory):
                assert wait_until(lambda d=directory: self.removed(d)), directory
        shutil.rmtree(self.folder)

    @staticmethod
    def removed(directory):
        try:
            os.rmdir(directory)
        except OSError:  # busy: its processes are on their way out
            return False
        return True


class Container:
    """One that runc runs, in the foreground. `change` may alter its configuration."""

    def __init__(self, pod, name, *argv, change=lambda config, root: None, id=None):
        self.id = id or os.urandom(32).hex()
        self.argv = list(argv)
        self.bundle = os.path.join(pod.node.folder, self.id)
        root = os.path.join(self.bundle, "rootfs")
        os.makedirs(os.path.join(root, "bin"))
        for folder in ("proc", "www"):
            os.mkdir(os.path.join(root, folder))
        os.link(pod.node.busybox, os.path.join(root, "bin", "busybox"))
        with open(os.path.join(root, "www", "foo"), "w", encoding="ascii") as file:
            file.write("hello\n")
        config = {
            "ociVersion": "1.0.2",
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/",
                        "args": self.argv, "env": ["PATH=/bin"]},
            "root": {"path": "rootfs", "readonly": False},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            # The network stays the host's: the address is loopback's.
            "linux": {"cgroupsPath": pod.cgroup_of(self.id),
                      "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
        }
        change(config, root)
        with open(os.path.join(self.bundle, "config.json"), "w", encoding="ascii") as file:
            json.dump(config, file)
        os.symlink("/nowhere", os.path.join(
            pod.node.logs, "containers", f"{pod.name}_{pod.namespace}_{name}-{self.id}.log"))
        self.runc = ["runc", "--root", os.path.join(pod.node.folder, "runc")]
        self.process = subprocess.Popen([*self.runc, "run", "--bundle", self.bundle, self.id],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def wait_ready(self):
        line = self.process.stderr.readline().decode()
        assert line.startswith("masflow: ready"), line

    def output(self):
        return self.process.communicate(timeout=DEADLINE_S)[0].decode()

    def stop(self):
        self.signal("KILL")
        return self.output()

    def signal(self, name):
        subprocess.run([*self.runc, "kill", self.id, name], check=False, capture_output=True)


class Manifest:
    """What docs/deploy/daemonset.yaml asks for."""

    def __init__(self):
        with open(DAEMONSET, encoding="ascii") as file:
            text = file.read()
        # A flow sequence: "quoted" words may hold commas.
        self.args = [quoted or plain for quoted, plain in re.findall(
            r'"([^"]*)"|([^\s,"]+)', re.search(r"args: \[(.*)\]", text)[1])]
        self.capabilities = ["CAP_" + name.strip()
                             for name in re.search(r"add: \[(.*)\]", text)[1].split(",")]
        paths = dict(re.findall(r"name: (\S+)\n +hostPath: {path: ([^,]+),", text))
        self.mounts = [(paths[name], inside) for name, inside in
                       re.findall(r"{name: (\S+), mountPath: ([^,]+), readOnly: true}", text)]

    def apply(self, node, config, root):
        """To the configuration of a container, with the node's directories for the host's."""
        config["root"]["readonly"] = True
        config["process"]["noNewPrivileges"] = True
        config["process"]["capabilities"] = {
            kind: self.capabilities for kind in ("bounding", "effective", "permitted")}
        config["linux"]["namespaces"].append({"type": "cgroup"})
        config["mounts"].append({"destination": "/sys", "type": "sysfs", "source": "sysfs",
                                 "options": ["ro"]})
        for outside, inside in self.mounts:
            source = outside.replace("/var/log", node.logs)
            if not inside.startswith("/sys"):
                os.makedirs(root + inside, exist_ok=True)
            config["mounts"].append({"destination": inside, "type": "bind", "source": source,
                                     "options": ["rbind", "ro"]})


def install(program, root):
    """The program with the libraries that it needs."""
    shutil.copy(program, os.path.join(root, "bin", "masflow"))
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    for path in re.findall(r"(/\S+) \(", listed):
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, root + path)


def events(command):
    return [json.loads(line) for line in command.lines()]


class Pods(unittest.TestCase):
    """Two of them, and what an agent in a container should tell of them."""

    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)
        self.log_dir = ("--log-dir", self.node.logs)

    def call_between_pods(self):
        """frontend-distroless asks backend for /foo; the port."""
        port = free_port()
        backend = Pod(self.node, "backend")
        frontend = Pod(self.node, "frontend-distroless")
        server = Container(backend, "httpd", "busybox", "httpd", "-f", "-p", f"127.0.0.1:{port}",
                           "-h", "/www")
        try:
            self.assertTrue(wait_until(lambda: listens(port)))
            client = Container(frontend, "shop", "busybox", "wget", "-q", "-O", "-",
                               f"http://127.0.0.1:{port}/foo")
            self.assertEqual(client.output(), "hello\n")
            self.assertEqual(client.process.returncode, 0)
        finally:
            server.stop()
        self.containers = {"frontend-distroless": client, "backend": server}
        self.uids = {"frontend-distroless": frontend.uid, "backend": backend.uid}
        return port

    def check_agent(self, agent):
        """One with the arguments of the DaemonSet tells of two other pods."""
        try:
            agent.wait_ready()
            self.call_between_pods()
            agent.signal("INT")
            found = [json.loads(line) for line in agent.output().splitlines()]
        finally:
            agent.stop()
        self.assertEqual(agent.process.returncode, 0)
        pods = {(e["event.name"], e.get("k8s.pod.name")) for e in found}
        for pod in ("frontend-distroless", "backend"):
            for name in ("process.exec", "http.exchange", "tcp.close", "process.exit"):
                self.assertIn((name, pod), pods)


class Workloads(Pods):
    def test_every_event_of_two_pods_is_theirs(self):
        with Command("--json", "--forks", "--failed", "--listeners", "--data", "call",
                     *self.log_dir) as command:
            command.wait_ready()
            port = self.call_between_pods()
            self.assertEqual(command.interrupt(), 0)
            found = events(command)
            self.assertIn(" 0 lost", command.messages[-1])
        for pod, kinds in (("backend", {"tcp.accept", "tcp.listen"}),
                           ("frontend-distroless", {"tcp.connect"})):
            container = self.containers[pod]
            mine = [e for e in found if e.get("k8s.pod.name") == pod]
            for e in mine:
                self.assertEqual(e["k8s.namespace.name"], "shop")
                self.assertEqual(e["k8s.pod.uid"], self.uids[pod])
                self.assertEqual(e["container.id"], container.id)
                self.assertEqual(e["masflow.pod_qos"], "Burstable")
                self.assertEqual(e["masflow.names_from"], "pod logs")
                self.assertEqual(e["k8s.container.name"], {"backend": "httpd"}.get(pod, "shop"))
            self.assertEqual({e["event.name"] for e in mine}, kinds | {
                "process.fork", "process.exec", "process.exit", "tcp.data", "tcp.close",
                "http.exchange"})
            self.check_whole_life(container, found, mine)
        # None of the calls is anybody else's, or nobody's: these are the seed's own case.
        exchanges = {e["masflow.role"]: e for e in found
                     if e["event.name"] == "http.exchange" and e["destination.port"] == port}
        self.assertEqual(sorted(exchanges), ["client", "server"])
        for role, pod in (("client", "frontend-distroless"), ("server", "backend")):
            e = exchanges[role]
            self.assertEqual(e["k8s.pod.name"], pod)
            self.assertEqual((e["http.request.method"], e["url.path"]), ("GET", "/foo"))
            self.assertEqual(e["http.response.status_code"], 200)
            self.assertGreater(e["masflow.duration_ns"], 0)

    def check_whole_life(self, container, found, mine):
        """All that the processes of the container did is its own, from the first instruction on:
        runc puts "runc init" into the cgroup, which forks what becomes the container."""
        execs = [e for e in found if e["event.name"] == "process.exec"]
        init = {e["process.pid"] for e in execs
                if e["process.parent_pid"] == container.process.pid
                and e["process.command_args"] == ["runc", "init"]}
        self.assertEqual(len(init), 1)
        tree = set()
        for e in found:
            if e["event.name"] == "process.fork" and e["process.parent_pid"] in init | tree:
                tree.add(e["process.pid"])
        program = [e for e in execs if e["process.pid"] in tree]
        self.assertEqual([e["process.command_args"] for e in program], [container.argv])
        theirs = [e for e in found if e.get("process.pid") in tree or (
            e.get("process.pid") in init and e["event.name"] == "process.exit")]
        self.assertEqual(len([e for e in theirs if e["event.name"] == "process.exit"]),
                         len(tree) + 1)
        for e in theirs:
            self.assertEqual(e.get("container.id"), container.id, e)
        # "runc init" executes itself once more, at times when it is in already.
        for e in mine:
            self.assertIn(e["process.pid"], init | tree, "something else is said to be theirs")

    def test_names_with_control_characters_stay_within_their_field(self):
        outer, inner = os.urandom(32).hex(), os.urandom(32).hex()
        odd = "\x1b[2J\x07\r\t\x7f\u202e\"".encode() + b"\xff\xc3"
        parent = os.path.join(os.fsencode(self.node.mount), b"masflow-" + odd)
        path = parent + b"/docker/" + outer.encode() + b"/docker/" + inner.encode()
        os.makedirs(path)
        try:
            for options in (["--json"], ["--color", "always"]):
                with Command("--streams", "process", *options, *self.log_dir) as command:
                    command.wait_ready()
                    # The shell enters, and what it becomes is in.
                    script = 'echo $$ > "$CGROUP/cgroup.procs"; exec busybox true within'
                    subprocess.run(["sh", "-c", script], check=True,
                                   env={**os.environb, b"CGROUP": path})
                    self.assertEqual(command.interrupt(), 0)
                    lines = [line for line in command.lines()
                             if "within" in line and inner[:12] in line]
                self.assertEqual(len(lines), 1)
                for forbidden in "\x1b[2J", "\x07", "\r", "\t", "\x7f":
                    self.assertNotIn(forbidden, lines[0])
                if options == ["--json"]:
                    event = json.loads(lines[0])
                    self.assertEqual(event["container.id"], inner)
                    self.assertTrue(event["masflow.outer_cgroup"].endswith("/docker/" + outer))
        finally:
            while path != os.fsencode(self.node.mount):
                self.assertTrue(wait_until(lambda: self.node.removed(path)))
                path = os.path.dirname(path)

    def test_events_do_not_wait_for_a_huge_log_directory(self):
        self.node.logs = logs = tempfile.mkdtemp(
            prefix="masflow_logs_", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.addCleanup(shutil.rmtree, logs)
        os.mkdir(f"{logs}/pods")
        for number in range(HUGE):
            os.mkdir(f"{logs}/pods/batch_job-{number}_{uuid.UUID(int=number)}")
        with Command("--json", "--streams", "process", "--pod", "first", "--log-dir", logs) \
                as command:
            command.wait_ready()
            self.run_short("first", free_port())  # where nobody listens
            self.assertTrue(wait_until(
                lambda: b'"process.exit"' in os.pread(command.out.fileno(), 1 << 20, 0)))
            with open(f"/proc/{command.process.pid}/status", encoding="ascii") as file:
                peak = int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) << 10
            self.assertEqual(command.interrupt(), 0)
        self.assertLess(peak, HUGE_BYTES)

    def test_in_a_container_with_the_rights_of_the_daemonset(self):
        manifest = Manifest()
        self.assertEqual(manifest.capabilities, ["CAP_BPF", "CAP_PERFMON"])
        self.assertEqual(len(manifest.mounts), 3)

        def change(config, root):
            manifest.apply(self.node, config, root)
            install(MASFLOW, root)

        self.check_agent(Container(Pod(self.node, "masflow"), "masflow", "masflow",
                                   *manifest.args, change=change))

    def test_one_pod_alone_as_text(self):
        with Command("--pod", "frontend-distroless", *self.log_dir) as command:
            command.wait_ready()
            port = self.call_between_pods()
            self.assertEqual(command.interrupt(), 0)
            lines = command.lines()
        http = [line for line in lines if " HTTP " in line]
        self.assertEqual(len(http), 1, lines)
        self.assertRegex(http[0], r"GET /foo 200 \d+\.\d{3}ms  client .*127\.0\.0\.1:%d .*"
                         r"pod=shop/frontend-distroless container=shop$" % port)
        for line in lines:
            self.assertIn("pod=shop/frontend-distroless", line)

    def test_one_namespace(self):
        with Command("--json", "--streams", "process", "--namespace", "shop", *self.log_dir) \
                as command:
            command.wait_ready()
            self.call_between_pods()
            self.assertEqual(command.interrupt(), 0)
            pods = {e["k8s.pod.name"] for e in events(command)}
        self.assertEqual(pods, {"frontend-distroless", "backend"})

    def test_each_of_many_short_lived_pods_is_known(self):
        port = free_port()
        with subprocess.Popen([BUSYBOX, "httpd", "-f", "-p", f"127.0.0.1:{port}",
                               "-h", self.node.folder]) as server:
            try:
                self.assertTrue(wait_until(lambda: listens(port)))
                with Command("--json", "--streams", "process,tcp", *self.log_dir) as command:
                    command.wait_ready()
                    last = f"job-{SHORT_LIVED - 1}"
                    for number in range(SHORT_LIVED):
                        self.run_short(f"job-{number}", port)
                    # The kernel may end a connection after its process.
                    self.assertTrue(wait_until(lambda: any(
                        '"tcp.close"' in line and f'"{last}"' in line
                        for line in command.lines()[-SHORT_LIVED:])))
                    self.assertEqual(command.interrupt(), 0)
                    found = events(command)
                    self.assertIn(" 0 lost", command.messages[-1])
            finally:
                server.kill()
        for name in ("process.exec", "tcp.connect", "tcp.close", "process.exit"):
            pods = {e.get("k8s.pod.name") for e in found if e["event.name"] == name}
            missing = {f"job-{n}" for n in range(SHORT_LIVED)} - pods
            self.assertFalse(missing, (name, len(missing)))

    def run_short(self, name, port):
        """One process that connects and ends; its cgroup goes with it."""
        pod = Pod(self.node, name, "batch")
        cgroup = self.node.make_cgroup(pod.cgroup_of(os.urandom(32).hex()))
        child = os.fork()
        if child == 0:
            try:
                with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as procs:
                    procs.write("0")
                out = os.open(os.devnull, os.O_WRONLY)
                os.dup2(out, 1)
                os.dup2(out, 2)
                os.execv(BUSYBOX, ["busybox", "wget", "-O", "-", f"http://127.0.0.1:{port}/x"])
            finally:
                os._exit(127)
        os.waitpid(child, 0)
        os.rmdir(cgroup)
        os.rmdir(self.node.directory(pod.cgroup))

    def test_process_that_moves_is_where_it_was_at_each_event(self):
        pod = Pod(self.node, "lodger")
        inside = self.node.make_cgroup(pod.cgroup_of(os.urandom(32).hex()))
        with open(f"/proc/self/cgroup", encoding="ascii") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
        controller = os.path.basename(self.node.mount)
        home = next((path for _, names, path in lines if controller in names.split(",")),
                    next((path for number, _, path in lines if number == "0"), "/"))
        script = (f"busybox echo before; echo 0 > {inside}/cgroup.procs; busybox echo within; "
                  f"echo 0 > {self.node.directory(home)}/cgroup.procs; busybox echo after")
        with Command("--json", "--streams", "process", *self.log_dir) as command:
            command.wait_ready()
            # Not the shell's own echo: each word is an exec.
            subprocess.run(["bash", "-c", script], check=True, stdout=subprocess.DEVNULL)
            self.assertEqual(command.interrupt(), 0)
            found = events(command)
        where = {e["process.command_args"][-1]: e.get("k8s.pod.name") for e in found
                 if e["event.name"] == "process.exec"
                 and e.get("process.command_args", [""])[0] == "busybox"}
        self.assertEqual(where.get("within"), "lodger", where)
        self.assertIn("before", where)
        self.assertIsNone(where["before"])
        self.assertIsNone(where["after"])


if __name__ == "__main__":
    unittest.main()
