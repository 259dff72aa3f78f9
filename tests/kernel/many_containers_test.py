# SPDX-License-Identifier: Apache-2.0
"""500 containers that runc makes, each with one process that connects and ends at once.

Environment: MASFLOW is the path of the command; CONTAINERS how many (500). Needs root, runc and
a static busybox.
"""
import concurrent.futures
import os
import subprocess
import unittest

from command_test import Command, wait_until
from http_servers_test import free_port, listens
from workloads_test import BUSYBOX, Container, Node, Pod, events

CONTAINERS = int(os.environ.get("CONTAINERS", "500"))
AT_ONCE = 8


class ManyContainers(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)
        # Shared by all pods: made here, so that no two threads make it.
        self.node.make_cgroup("/kubepods/burstable")

    def run_one(self, number, port):
        """The container's id. runc takes its cgroup away as soon as it ends."""
        pod = Pod(self.node, f"job-{number}", "batch")
        container = Container(pod, "job", "busybox", "wget", "-q", "-O", "-",
                              f"http://127.0.0.1:{port}/")
        output, errors = container.process.communicate()
        assert output == b"" and b"404" in errors, (output, errors)
        assert not os.path.exists(self.node.directory(pod.cgroup_of(container.id)))
        os.rmdir(self.node.directory(pod.cgroup))
        return container.id

    def test_each_is_known_in_every_event(self):
        port = free_port()
        with subprocess.Popen([BUSYBOX, "httpd", "-f", "-p", f"127.0.0.1:{port}",
                               "-h", self.node.folder]) as server:
            try:
                self.assertTrue(wait_until(lambda: listens(port)))
                with Command("--json", "--streams", "process,tcp", "--log-dir", self.node.logs) \
                        as command:
                    command.wait_ready()
                    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                        ids = list(pool.map(lambda n: self.run_one(n, port), range(CONTAINERS)))
                    # The kernel may end a connection after its process.
                    wait_until(lambda: sum('"tcp.close"' in line and '"job-' in line
                                           for line in command.lines()) >= CONTAINERS)
                    self.assertEqual(command.interrupt(), 0)
                    self.assertIn(" 0 lost", command.messages[-1])
                    found = events(command)
            finally:
                server.kill()
        self.assertEqual(len(set(ids)), CONTAINERS)
        wanted = {(id, f"job-{number}", "job") for number, id in enumerate(ids)}
        for name in ("process.exec", "tcp.connect", "tcp.close", "process.exit"):
            theirs = {(e.get("container.id"), e.get("k8s.pod.name"), e.get("k8s.container.name"))
                      for e in found if e["event.name"] == name}
            self.assertEqual(len(wanted & theirs), CONTAINERS, name)


if __name__ == "__main__":
    unittest.main()
