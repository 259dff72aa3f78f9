# SPDX-License-Identifier: Apache-2.0
"""The part of record.py with a real kubelet: what it says of its pods, and the API of the same."""
import os
import shutil
import socket
import ssl
import tempfile

from cluster import request, wait_until
from node import NODE_IP, PAUSE, Node, image
from scene import Expected

NAME = "worker-3"
APP = "registry.example/app:1"
STATIC = {"apiVersion": "v1", "kind": "Pod",
          "metadata": {"name": "proxy", "namespace": "kube-system",
                       "labels": {"component": "proxy"}},
          "spec": {"hostNetwork": True, "containers": [
              {"name": "proxy", "image": APP, "command": ["busybox", "sleep", "1000"]}]}}


def images():
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/bin")
        shutil.copy(shutil.which("busybox"), f"{root}/bin/busybox")
        yield image(PAUSE, root, Entrypoint=["/bin/busybox", "sleep", "1000000"])
        yield image(APP, root, Env=["PATH=/bin"])


def raw(port, target, token="", tls=False):
    with socket.create_connection(("127.0.0.1", port)) as plain:
        connection = plain
        if tls:  # its certificate is its own
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = context.wrap_socket(plain)
        with connection:
            connection.sendall(request(target, f"127.0.0.1:{port}", token))
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))


class NodeScene:
    """Real pods of real controllers, which only the scheduler is played for."""

    def __init__(self, cluster, node):
        self.cluster = cluster
        self.api, self.kubelet = Expected(), Expected()

        def spec(*command, **more):
            return {"containers": [{"name": "main", "image": APP,
                                    "command": ["busybox", *command]}], **more}

        setup = {"name": "setup", "image": APP, "command": ["busybox", "true"]}
        create = cluster.create
        create("/apis/apps/v1/namespaces/shop/deployments", {
            "metadata": {"name": "cart"},
            "spec": {"selector": {"matchLabels": {"app": "cart"}}, "template": {
                "metadata": {"labels": {"app": "cart"}},
                "spec": spec("sleep", "1000", initContainers=[setup])}}})
        create("/apis/batch/v1/namespaces/batch/jobs", {
            "metadata": {"name": "once"},
            "spec": {"template": {"spec": spec("true", restartPolicy="Never")}}})
        create("/api/v1/namespaces/shop/pods", {
            "metadata": {"name": "host"}, "spec": spec("sleep", "1000", hostNetwork=True)})
        node.wait_ready()
        self.expect(self.reaches("shop", "cart-", "Running"), "Deployment/cart", True)
        self.expect(self.reaches("batch", "once-", "Succeeded"), "Job/once", False)
        self.expect(self.reaches("shop", "host", "Running"), "", False)
        self.expect_static(self.reaches("kube-system", f"proxy-{NAME}", "Running"))

    def reaches(self, namespace, prefix, phase):
        def first():
            return next(iter(self.cluster.pods(namespace, prefix)), None)
        pod = wait_until(first, prefix)
        if "nodeName" not in pod["spec"]:
            self.cluster.bind(pod, NAME)
        wait_until(lambda: first()["status"]["phase"] == phase, prefix + phase)
        return first()

    def expect(self, pod, owner, own_address, only=None, **more):
        status = pod["status"]
        ids = {c["name"]: c["containerID"].split("//")[1] for c in
               status["containerStatuses"] + status.get("initContainerStatuses", [])}
        ips = [ip["ip"] for ip in status["podIPs"]] if own_address else ()
        assert status["hostIP"] == NODE_IP
        for expected in only or (self.api, self.kubelet):
            expected.pod(pod, owner, ips, NODE_IP, ids, **more)

    def expect_static(self, mirror):
        """The kubelet's own has for its UID the hash by which the mirror names it."""
        hash = mirror["metadata"]["annotations"]["kubernetes.io/config.hash"]
        self.expect(mirror, f"Node/{NAME}", False, (self.api,), cgroup=hash)
        mirror["metadata"]["uid"] = hash
        self.expect(mirror, "", False, (self.kubelet,))


def record_node(recorder):
    cluster = recorder.cluster
    node = Node(cluster, NAME, images(), {"proxy": STATIC})
    try:
        scene = NodeScene(cluster, node)
        recorder.keep("kubelet_pods", "/pods", raw(node.open_port, "/pods"))
        recorder.write("kubelet_pods.expected", scene.kubelet.text().encode())
        recorder.record("pods_of_kubelet",
                        f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NAME}&resourceVersion=0")
        recorder.write("pods_of_kubelet.expected", scene.api.text().encode())
        recorder.keep("kubelet_unauthorized", "/pods", raw(node.port, "/pods", "x", tls=True))
        token = cluster.token_of("shop", "default")
        recorder.keep("kubelet_forbidden", "/pods", raw(node.port, "/pods", token, tls=True))
    finally:
        node.close()
