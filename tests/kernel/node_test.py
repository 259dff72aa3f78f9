# SPDX-License-Identifier: Apache-2.0
"""The command on a node of a real cluster, and as its DaemonSet: kubelet, containerd, runc.

Environment: as cluster_test.py. Needs containerd and iproute2 besides.
"""
import json
import os
import shutil
import sys
import tempfile
import unittest

from command_test import Command, wait_until
from workloads_test import BUSYBOX, MASFLOW, install

HERE = os.path.dirname(os.path.abspath(__file__))
DEPLOY = f"{HERE}/../../docs/deploy"
sys.path.insert(0, f"{HERE}/../kubernetes/cluster")
from cluster import Cluster  # pylint: disable=wrong-import-position
from node import PAUSE, Node, enter_network, image  # pylint: disable=wrong-import-position

PROGRAMS = os.environ.get("MASFLOW_CLUSTER", "")
# A file of `docker save` in place of one made here: the Dockerfile's.
IMAGE = os.environ.get("MASFLOW_IMAGE", "")
AGENT, APP = "registry.example/masflow:1", "registry.example/app:1"


def images():
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/bin")
        shutil.copy(BUSYBOX, f"{root}/bin/busybox")
        yield image(PAUSE, root, Entrypoint=["/bin/busybox", "sleep", "1000000"])
        os.mkdir(f"{root}/www")
        with open(f"{root}/www/foo", "w", encoding="ascii") as file:
            file.write("hello\n")
        yield image(APP, root, Env=["PATH=/bin"])
        if not IMAGE:
            install(MASFLOW, root)
            yield image(AGENT, root, Entrypoint=["/bin/masflow"])
    if IMAGE:
        with open(IMAGE, "rb") as file:
            yield file.read()


def with_api_server(text):
    """As the head of daemonset-api.yaml says."""
    for old, new in (
            ("automountServiceAccountToken: false",
             "serviceAccountName: masflow\n      automountServiceAccountToken: true"),
            ("/host/log]", "/host/log, --api-server, in-cluster, --node, $(NODE_NAME)]\n"
             "          env: [{name: NODE_NAME, valueFrom: {fieldRef: "
             "{fieldPath: spec.nodeName}}}]")):
        assert old in text
        text = text.replace(old, new)
    return text


class RealNode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not PROGRAMS:
            raise unittest.SkipTest("MASFLOW_CLUSTER is not set")
        cls.cluster = Cluster(PROGRAMS, for_pods=True)
        cls.addClassCleanup(cls.cluster.close)
        cls.node = Node(cls.cluster, "worker-1", images())
        cls.addClassCleanup(cls.node.close)
        for namespace in ("shop", "masflow"):
            cls.cluster.namespace(namespace)
        cls.cluster.apply(f"{DEPLOY}/daemonset-api.yaml")
        cls.node.wait_ready()

    def running(self, namespace, prefix):
        """The pod, once it is bound and runs."""
        def pods():
            return self.cluster.pods(namespace, prefix)
        self.assertTrue(wait_until(pods), prefix)
        if "nodeName" not in pods()[0]["spec"]:
            self.cluster.bind(pods()[0], "worker-1")
        self.assertTrue(wait_until(lambda: pods()[0]["status"]["phase"] == "Running"),
                        pods()[0]["status"])
        return pods()[0]

    def deploy(self, name, *command):
        """A Deployment of one pod, which runs."""
        path = "/apis/apps/v1/namespaces/shop/deployments"
        self.cluster.create(path, {
            "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": {
                         "terminationGracePeriodSeconds": 0,
                         "containers": [{"name": f"{name}-container", "image": APP,
                                         "command": ["busybox", *command]}]}}}})
        self.addCleanup(self.remove, f"{path}/{name}", "shop", name)
        return self.running("shop", name + "-")

    def remove(self, path, namespace, prefix):
        self.cluster.change("DELETE", path)
        self.assertTrue(wait_until(lambda: not self.cluster.pods(namespace, prefix + "-")))

    def call(self):
        """frontend asks backend for /foo, again and again; both pods."""
        backend = self.deploy("backend", "httpd", "-f", "-p", "8080", "-h", "/www")
        url = f"http://{backend['status']['podIP']}:8080/foo"
        frontend = self.deploy("frontend", "sh", "-c",
                               f"while true; do busybox wget -q -O - {url}; sleep 1; done")
        return frontend, backend

    def exchanges(self, found, frontend, backend):
        """One of each end, by role, of those with all names."""
        def told():
            ends = {e["masflow.role"]: e for e in found()
                    if e["event.name"] == "http.exchange" and e["url.path"] == "/foo"}
            return ends if len(ends) == 2 else None
        ends = wait_until(told) and told()
        self.assertTrue(ends, "no calls are told of")
        for role, pod in (("client", frontend), ("server", backend)):
            e, metadata = ends[role], pod["metadata"]
            self.assertEqual(e["k8s.pod.name"], metadata["name"])
            self.assertEqual(e["k8s.pod.uid"], metadata["uid"])
            self.assertEqual(e["k8s.namespace.name"], "shop")
            self.assertEqual(e["k8s.container.name"], metadata["labels"]["app"] + "-container")
            self.assertEqual("containerd://" + e["container.id"],
                             pod["status"]["containerStatuses"][0]["containerID"])
        return ends

    def check_more_names(self, ends, backend, source):
        client = ends["client"]
        self.assertEqual(client["masflow.names_from"], source)
        self.assertEqual(client["k8s.deployment.name"], "frontend")
        self.assertEqual(client["k8s.pod.label.app"], "frontend")
        self.assertEqual(client["masflow.peer.k8s.pod.name"], backend["metadata"]["name"])
        self.assertEqual(ends["server"]["k8s.deployment.name"], "backend")

    def daemonset(self, change=lambda text: text):
        """Of the project, with the image's name as of a registry; what its pod has logged."""
        path = "/apis/apps/v1/namespaces/masflow/daemonsets/masflow"
        self.cluster.apply(f"{DEPLOY}/daemonset.yaml",
                           lambda text: change(text.replace("image: masflow:latest",
                                                            f"image: {AGENT}")))
        self.addCleanup(self.remove, path, "masflow", "masflow")
        agent = self.running("masflow", "masflow-")["metadata"]["uid"]

        def lines():
            return self.node.logs(f"masflow_*_{agent}/masflow/*.log")
        self.assertTrue(wait_until(lambda: any(
            line.startswith("masflow: ready") for line in lines())), lines())
        return lambda: [json.loads(line) for line in lines() if line.startswith("{")]

    def test_daemonset(self):
        found = self.daemonset()
        ends = self.exchanges(found, *self.call())
        self.assertEqual(ends["client"]["masflow.names_from"], "pod logs")
        self.assertNotIn("k8s.deployment.name", ends["client"])

    def test_daemonset_with_api_server(self):
        found = self.daemonset(with_api_server)
        frontend, backend = self.call()

        def named():
            return [e for e in found() if "masflow.peer.k8s.pod.name" in e]
        self.check_more_names(self.exchanges(named, frontend, backend), backend, "api server")

    def test_kubelet(self):
        create = self.cluster.create
        create("/api/v1/namespaces/masflow/serviceaccounts", {"metadata": {"name": "node"}})
        token = self.cluster.write("node-token", self.cluster.token_of("masflow", "node"))
        asked = ("--kubelet", self.node.url, "--kubelet-insecure")
        self.assertRegex(self.told(*asked, "--token-file", token),
                         "/pods answers 403.*needs get of nodes/proxy")
        self.assertIn("/pods answers 401",
                      self.told(*asked, "--token-file", self.cluster.write("wrong", "x")))
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        create(f"{rbac}/clusterroles", {"metadata": {"name": "node"}, "rules": [
            {"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get"]}]})
        create(f"{rbac}/clusterrolebindings", {
            "metadata": {"name": "node"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": "node"},
            "subjects": [{"kind": "ServiceAccount", "name": "node", "namespace": "masflow"}]})
        frontend, backend = self.call()
        # The kubelet remembers for half a minute what it has refused to the account.
        for options in ((*asked, "--token-file", token), ("--kubelet", self.node.open_url)):
            self.assertTrue(wait_until(lambda o=options: self.told(*o).endswith(": works")))
            with Command("--json", *options, "--log-dir", self.cluster.folder) as command:
                command.wait_ready()

                def named():
                    return [e for e in map(json.loads, command.lines())
                            if "masflow.peer.k8s.pod.name" in e]
                ends = self.exchanges(named, frontend, backend)
                self.assertEqual(command.interrupt(), 0)
            self.check_more_names(ends, backend, "kubelet")

    def told(self, *options):
        with Command("doctor", *options, "--log-dir", self.cluster.folder) as doctor:
            self.assertEqual(doctor.end(), 0)
            return next(line for line in doctor.lines() if line.startswith("names      kubelet"))


if __name__ == "__main__":
    if PROGRAMS:
        enter_network()
    unittest.main()
