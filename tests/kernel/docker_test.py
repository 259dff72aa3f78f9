# SPDX-License-Identifier: Apache-2.0
"""The command beside a Docker daemon of its own, and in one of its containers.

Environment: MASFLOW is the path of the command. Needs root and a static busybox. Skipped where
there is no dockerd, or where it does not start; the daemon touches neither bridges nor firewall.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import uuid

from command_test import Command, wait_until
from workloads_test import BUSYBOX, MASFLOW, Container, Node, Pod, events, hierarchies, install

DEPLOYMENT = os.path.join(os.path.dirname(__file__), "../../docs/deployment.md")
PARENT = "/masflow-docker"


class Daemon:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="masflow_docker_")
        self.socket = f"unix://{self.folder}/socket"
        self.log = os.path.join(self.folder, "log")
        self.had = [h for h in hierarchies() if os.path.isdir(h + "/docker")]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--host", self.socket, "--data-root", f"{self.folder}/data",
                 "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/pid",
                 "--storage-driver", "vfs", "--exec-opt", "native.cgroupdriver=cgroupfs",
                 "--bridge", "none", "--iptables=false", "--ip6tables=false",
                 "--ip-forward=false", "--ip-masq=false"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.process.poll() is not None or self.answers())

    def answers(self):
        return self.run("version", check=False).returncode == 0

    def why_not(self):
        """Nothing if it works."""
        if self.process.poll() is None and self.answers():
            return ""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return (file.read().splitlines() or ["it says nothing"])[-1]

    def run(self, *args, check=True, **options):
        return subprocess.run(["docker", "--host", self.socket, *args], check=check,
                              capture_output=True, text=True, **options)

    def import_image(self, name, root):
        archive = os.path.join(self.folder, "image.tar")
        with tarfile.open(archive, "w") as tar:
            tar.add(root, arcname=".")
        self.run("import", archive, name)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=60)
        with open("/proc/self/mounts", encoding="ascii") as file:  # it leaves some
            mounts = [line.split()[1] for line in file]
        for mount in reversed([m for m in mounts if m.startswith(self.folder + "/")]):
            subprocess.run(["umount", mount], check=True)
        for hierarchy in hierarchies():
            remove_cgroups(hierarchy + PARENT)
            if hierarchy not in self.had:
                remove_cgroups(hierarchy + "/docker")
        shutil.rmtree(self.folder)


def remove_cgroups(top):
    for directory, _, _ in os.walk(top, topdown=False):
        os.rmdir(directory)


def check_docker_run_line(test, daemon, *entry):
    """That of the docs tells of a container beside it. `entry`: if the image has none."""
    with open(DEPLOYMENT, encoding="ascii") as file:
        line = re.search(r"^docker (run (?:.*\\\n)*.*)$", file.read(), re.M)[1]
    words = shlex.split(line.replace("\\\n", " ").replace("/var/log:", test.node.logs + ":"))
    at = words.index("masflow")
    words[at:at + 1] = ["masflow", *entry, "--json", "--streams", "process"]
    # A network of the container needs a bridge.
    words[1:1] = ["--name", "agent", "--network", "none"]
    probe = daemon.run("create", "--cap-add", "BPF", "masflow", "x", check=False)
    if "unknown capability" in probe.stderr:  # so the docs have another one for it
        words = [{"BPF": "SYS_ADMIN", "PERFMON": "SYS_ADMIN"}.get(w, w) for w in words]
    with subprocess.Popen(["docker", "--host", daemon.socket, *words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as agent:
        try:
            ready = agent.stderr.readline().decode()
            test.assertTrue(ready.startswith("masflow: ready"), ready)
            client = Container(Pod(test.node, "cart"), "app", "busybox", "true")
            client.output()
            daemon.run("kill", "--signal", "INT", "agent")
            found = [json.loads(line) for line in agent.stdout.read().splitlines()]
        finally:
            daemon.run("rm", "--force", "agent", check=False)
    test.assertEqual(agent.returncode, 0)
    pods = {(e["event.name"], e.get("k8s.pod.name")) for e in found}
    test.assertLessEqual({("process.exec", "cart"), ("process.exit", "cart")}, pods)


class Docker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which("dockerd") is None or shutil.which("docker") is None:
            raise unittest.SkipTest("there is no Docker")
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.close)
        if why := cls.daemon.why_not():
            raise unittest.SkipTest("dockerd does not start: " + why)
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(f"{root}/bin")
            shutil.copy(BUSYBOX, f"{root}/bin/busybox")
            cls.daemon.import_image("busybox", root)
            install(MASFLOW, root)
            cls.daemon.import_image("masflow", root)

    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)

    def start(self, *options):
        """A container that waits; its id."""
        id = self.daemon.run("run", "--detach", "--network", "host", *options, "busybox",
                             "/bin/busybox", "sleep", "1000").stdout.strip()
        self.addCleanup(self.daemon.run, "rm", "--force", id)
        return id

    def seen(self, *options):
        """A container beside the command, what ran in it by docker exec, and its end: its id, and
        its events by kind."""
        with Command("--json", "--streams", "process", "--log-dir", self.node.logs) as command:
            command.wait_ready()
            id = self.start(*options)
            self.daemon.run("exec", id, "/bin/busybox", "true", "later")
            self.daemon.run("kill", id)
            self.assertEqual(command.interrupt(), 0)
            found = events(command)
        mine = [e for e in found if e.get("container.id") == id]
        args = [e["process.command_args"] for e in mine if e["event.name"] == "process.exec"]
        self.assertIn(["/bin/busybox", "sleep", "1000"], args)
        self.assertIn(["/bin/busybox", "true", "later"], args)
        self.assertIn("process.exit", {e["event.name"] for e in mine})
        return mine

    def test_container(self):
        for e in self.seen():
            self.assertEqual(e["container.runtime.name"], "docker")
            self.assertNotIn("k8s.pod.uid", e)

    def test_container_below_another_parent_is_in_its_pod(self):
        uid = str(uuid.uuid4())
        os.mkdir(f"{self.node.logs}/pods/shop_cart_{uid}")
        for e in self.seen("--cgroup-parent", f"{PARENT}/kubepods/burstable/pod{uid}"):
            self.assertEqual(e["k8s.pod.uid"], uid)
            self.assertEqual(e["k8s.pod.name"], "cart")
            # By the cgroupfs driver the path does not tell.
            self.assertNotIn("container.runtime.name", e)

    def test_docker_run_line_of_the_docs(self):
        # The image has no entry point here.
        check_docker_run_line(self, self.daemon, "/bin/masflow")


if __name__ == "__main__":
    unittest.main()
