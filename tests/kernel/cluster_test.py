# SPDX-License-Identifier: Apache-2.0
"""The command beside real containers, with names from a real API server.

Environment: MASFLOW is the path of the command, MASFLOW_CLUSTER the folder bin/ of
tests/kubernetes/cluster/build.sh. Needs root, runc, busybox (a static one), openssl.
"""
import os
import signal
import socket
import sys
import tempfile
import unittest

from command_test import Command, wait_until
from http_servers_test import free_port, listens
from workloads_test import Container, Node, Pod, events

HERE = os.path.dirname(os.path.abspath(__file__))
DEPLOY = f"{HERE}/../../docs/deploy"
sys.path.insert(0, f"{HERE}/../kubernetes/cluster")
from cluster import Cluster  # pylint: disable=wrong-import-position

PROGRAMS = os.environ.get("MASFLOW_CLUSTER", "")
BACKEND_IP, LATER_IP, LAST_IP = "127.44.0.7", "127.44.0.8", "127.44.0.9"
MANY = 1100  # three pages


class RealCluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not PROGRAMS:
            raise unittest.SkipTest("MASFLOW_CLUSTER is not set")
        cls.cluster = Cluster(PROGRAMS)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.node("worker-1", "127.0.0.1")
        for namespace in ("shop", "masflow"):
            cls.cluster.namespace(namespace)
        # What the docs give to users.
        for file in ("daemonset-api.yaml", "daemonset.yaml"):
            cls.cluster.apply(f"{DEPLOY}/{file}")
        cls.token_file = cls.cluster.write("token", cls.cluster.token_of("masflow", "masflow"))

    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)
        logs = tempfile.mkdtemp(dir=self.node.folder)  # empty: all names are the server's
        self.options = ("--ca-file", self.cluster.ca_file, "--log-dir", logs,
                        "--api-server", self.cluster.url)
        self.made = []
        self.addCleanup(self.clean)

    def clean(self):
        for path in reversed(self.made):
            self.cluster.ask("DELETE", path)

    def create(self, path, body):
        self.made.append(f"{path}/{body['metadata']['name']}")
        return self.cluster.create(path, body)

    def deploy(self, name, container, ip):
        """A Deployment of one pod, its pod, and a real one of the same UID on this node."""
        self.create("/apis/apps/v1/namespaces/shop/deployments", {
            "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": {
                         "containers": [{"name": container, "image": "x"}]}}}})
        self.assertTrue(wait_until(lambda: self.cluster.pods("shop", name + "-")))
        pod = self.cluster.pods("shop", name + "-")[0]
        self.cluster.bind(pod, "worker-1")
        ids = self.cluster.run(pod, "127.0.0.1", ip)
        metadata = pod["metadata"]
        return pod, Pod(self.node, metadata["name"], uid=metadata["uid"]), ids[container]

    def command(self, *options, token_file=None):
        return Command("--json", *self.options, "--token-file", token_file or self.token_file,
                       *options)

    def connects(self, command, address):
        """The event of a connection from here to an address where nobody listens."""
        port = free_port()
        with socket.socket() as client:
            self.assertNotEqual(client.connect_ex((address, port)), 0)
        found = []

        def told():
            found[:] = [e for e in events(command) if e.get("destination.port") == port]
            return found
        self.assertTrue(wait_until(told))
        return found[0]

    def becomes(self, command, address, pod):
        """The other end at an address is a pod, at last, or (None) nobody known."""
        return wait_until(lambda: self.connects(command, address).get(
            "masflow.peer.k8s.pod.name") == pod)

    def test_labels_owner_and_the_other_end(self):
        api_backend, backend, httpd = self.deploy("backend", "httpd", BACKEND_IP)
        _, frontend, shop = self.deploy("frontend", "shop", LATER_IP)
        service = self.create("/api/v1/namespaces/shop/services", {
            "metadata": {"name": "front-door"}, "spec": {"ports": [{"port": 80}]}})
        port = free_port()
        with self.command("--node", "worker-1", "--failed") as command:
            command.wait_ready()
            self.assertTrue(self.becomes(command, BACKEND_IP, api_backend["metadata"]["name"]))
            server = Container(backend, "httpd", "busybox", "httpd", "-f", "-p", f"0.0.0.0:{port}",
                               "-h", "/www", id=httpd)
            try:
                self.assertTrue(wait_until(lambda: listens(port)))
                addresses = (BACKEND_IP, service["spec"]["clusterIP"])
                script = "; ".join(f"busybox wget -q -O - http://{a}:{port}/foo"
                                   for a in addresses)
                client = Container(frontend, "shop", "busybox", "sh", "-c", script, id=shop)
                self.assertEqual(client.output(), "hello\nhello\n")
            finally:
                server.stop()
            self.assertEqual(command.interrupt(), 0)
            found = [e for e in events(command) if e["event.name"] == "http.exchange"
                     and e["destination.port"] == port]
        clients = {e["destination.address"]: e for e in found if e["masflow.role"] == "client"}
        for e in clients.values():
            self.assertEqual(e["k8s.pod.name"], frontend.name)
            self.assertEqual(e["k8s.namespace.name"], "shop")
            self.assertEqual(e["k8s.deployment.name"], "frontend")
            self.assertEqual(e["k8s.pod.label.app"], "frontend")
            self.assertEqual(e["k8s.pod.ip"], LATER_IP)
            self.assertEqual(e["k8s.container.name"], "shop")
            self.assertEqual(e["masflow.node_ip"], "127.0.0.1")
            self.assertEqual(e["masflow.names_from"], "api server")
        self.assertEqual(clients[BACKEND_IP]["masflow.peer.k8s.pod.name"], backend.name)
        self.assertEqual(clients[addresses[1]]["masflow.peer.k8s.service.name"], "front-door")
        self.assertEqual({e["k8s.deployment.name"] for e in found
                          if e["masflow.role"] == "server"}, {"backend"})

    def restart_server(self):
        self.cluster.stop("kube-apiserver")
        self.cluster.start_api_server()

    def test_changes_come_by_the_watch_and_after_a_gap_by_a_list(self):
        with self.command("--node", "worker-1", "--failed") as command:
            command.wait_ready()
            self.assertTrue(self.becomes(command, BACKEND_IP, None))
            pod, _, _ = self.deploy("backend", "httpd", BACKEND_IP)
            self.assertTrue(self.becomes(command, BACKEND_IP, pod["metadata"]["name"]))
            self.cluster.change("DELETE", self.made.pop())  # the Deployment
            self.cluster.delete(pod)
            self.assertTrue(self.becomes(command, BACKEND_IP, None))
            # What happens while the command hears nothing is told by no watch later on.
            first, _, _ = self.deploy("backend", "httpd", BACKEND_IP)
            self.assertTrue(self.becomes(command, BACKEND_IP, first["metadata"]["name"]))
            command.process.send_signal(signal.SIGSTOP)
            self.restart_server()  # or the events would wait in the socket
            self.cluster.change("DELETE", self.made.pop())
            self.cluster.delete(first)
            second, _, _ = self.deploy("later", "httpd", LATER_IP)
            self.cluster.compact()
            self.restart_server()  # which remembers only what is now
            command.process.send_signal(signal.SIGCONT)
            self.assertTrue(self.becomes(command, LATER_IP, second["metadata"]["name"]))
            self.assertTrue(self.becomes(command, BACKEND_IP, None))
            self.assertEqual(command.interrupt(), 0)

    def test_a_cluster_of_many_pods(self):
        for number in range(MANY):
            name = f"many-{number:04}"
            self.cluster.create("/api/v1/namespaces/shop/pods", {
                "metadata": {"name": name},
                "spec": {"containers": [{"name": "c", "image": "x"}]}})
        pods = self.cluster.pods("shop", "many-")
        self.cluster.run(pods[-1], "127.0.0.1", LAST_IP)
        with self.command("--failed") as command:
            command.wait_ready()
            self.assertTrue(self.becomes(command, LAST_IP, f"many-{MANY - 1:04}"))
            self.assertEqual(command.interrupt(), 0)

    def told(self, token_file):
        with Command("doctor", *self.options, "--token-file", token_file) as doctor:
            self.assertEqual(doctor.end(), 0)
            return next(line for line in doctor.lines() if line.startswith("names      api server"))

    def test_doctor_says_what_the_server_refuses(self):
        self.assertTrue(self.told(self.token_file).endswith(": works"))
        self.assertIn("answers 401 (Unauthorized)", self.told(self.cluster.write("wrong", "x")))
        token = self.cluster.token_of("shop", "default")
        self.assertRegex(self.told(self.cluster.write("weak", token)),
                         "answers 403 .*cannot list resource.*needs list and watch of pods")

    def test_the_daemonset_is_taken_as_it_is_meant(self):
        self.assertTrue(wait_until(lambda: self.cluster.pods("masflow")))
        spec = self.cluster.pods("masflow")[0]["spec"]
        container = spec["containers"][0]
        self.assertEqual(container["securityContext"], {
            "privileged": False, "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True, "runAsUser": 0,
            "capabilities": {"drop": ["ALL"], "add": ["BPF", "PERFMON"]}})
        self.assertEqual({(m["mountPath"], m["readOnly"]) for m in container["volumeMounts"]}, {
            (path, True) for path in ("/sys/fs/cgroup", "/host/log/pods", "/host/log/containers")})


if __name__ == "__main__":
    unittest.main()
