# SPDX-License-Identifier: Apache-2.0
"""The threads that ask servers have no more rights than the rest of the command.

Environment: as kubernetes_test.py. A sanitizer makes system calls of its own, which --seccomp refuses.
"""
import os
import unittest

from command_test import Command, wait_until
from kubernetes_test import BACKEND_IP, Scene
from workloads_test import events


class Rights(Scene):
    def test_with_the_least_rights(self):
        with Command("--json", "--user", "nobody", "--seccomp", "--api-server", self.servers.url,
                     *self.servers.files, *self.log_dir) as command:
            command.wait_ready()
            self.assertTrue(wait_until(lambda: len(self.servers.answered) >= 4))
            tasks = f"/proc/{command.process.pid}/task"
            rights = set()
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/status", encoding="ascii") as file:
                    rights.add(tuple(line for line in file.read().splitlines() if line.startswith(
                        ("Uid", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp:"))))
            self.assertEqual(len(rights), 1, "threads differ")
            self.assertIn("Seccomp:\t2", rights.pop())
            port = self.call(BACKEND_IP)
            self.assertEqual(command.interrupt(), 0, command.messages)
            found = [e for e in events(command) if e["event.name"] == "http.exchange"
                     and e["destination.port"] == port]
        self.assertEqual({e["k8s.deployment.name"] for e in found}, {"frontend", "backend"})


if __name__ == "__main__":
    unittest.main()
