# SPDX-License-Identifier: Apache-2.0
"""A real control plane on the loopback: etcd, kube-apiserver, kube-controller-manager.

The programs are those that build.sh makes. What else a cluster has is played here: the scheduler
(bind) and the kubelet (a pod's status), by the same requests as theirs.
"""
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

ADMIN = "admin-token"
# Addresses of this machine that nobody else uses, so that tests can connect to services and pods.
SERVICES = "127.45.0.0/16"
SERVICES_6 = "fd00:10:96::/112"
# For pods with a network of their own, in which 127.* is theirs: where the API server itself is,
# see node.py.
NODE_SERVICES, NODE_API = "10.96.0.0/16", "10.96.0.1"
DEADLINE_S = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what):
    end = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)
    return value


class Cluster:
    """`for_pods`: at the address that pods are told, as no kube-proxy leads them elsewhere."""

    def __init__(self, programs, for_pods=False):
        self.programs = programs
        self.folder = tempfile.mkdtemp(prefix="masflow_cluster_")
        self.processes = {}
        self.address, self.port = (NODE_API, 443) if for_pods else ("127.0.0.1", free_port())
        self.services = NODE_SERVICES if for_pods else SERVICES
        self.etcd_port = free_port()
        self.url = f"https://{self.address}:{self.port}"
        self.ca_file = self.path("ca.crt")
        self.make_certificates()
        self.write("tokens", f'{ADMIN},admin,1,"system:masters"\n')
        self.context = ssl.create_default_context(cafile=self.ca_file)
        try:
            self.start_etcd()
            self.start_api_server()
            self.start_controllers()
        except BaseException:
            self.close()
            raise

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        return self.path(name)

    def close(self):
        for name in reversed(list(self.processes)):
            self.stop(name)
        shutil.rmtree(self.folder)

    def openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def make_certificates(self):
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        self.openssl("req", "-x509", *ec, "-days", "2", "-subj", "/CN=ca",
                     "-keyout", self.path("ca.key"), "-out", self.ca_file)
        self.openssl("req", *ec, "-subj", "/CN=api",
                     "-keyout", self.path("api.key"), "-out", self.path("api.csr"))
        self.openssl("x509", "-req", "-in", self.path("api.csr"), "-CA", self.ca_file,
                     "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile",
                     self.write("extensions", f"subjectAltName=IP:{self.address}\n"),
                     "-out", self.path("api.crt"))
        self.openssl("genrsa", "-out", self.path("accounts.key"), "2048")
        self.openssl("rsa", "-in", self.path("accounts.key"), "-pubout",
                     "-out", self.path("accounts.pub"))

    def start(self, name, *args):
        with open(self.path(f"{name}.log"), "ab") as log:
            self.processes[name] = subprocess.Popen(
                [os.path.join(self.programs, name), *args], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.folder)

    def stop(self, name):
        """At once: asked kindly, a kube-apiserver waits a minute for those who watch."""
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def start_etcd(self):
        url = f"http://127.0.0.1:{self.etcd_port}"
        self.start("etcd", "--data-dir", self.path("etcd"), "--listen-client-urls", url,
                   "--advertise-client-urls", url, "--listen-peer-urls", "http://127.0.0.1:0")

    def start_api_server(self, *more):
        self.start(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--bind-address={self.address}", f"--secure-port={self.port}",
            f"--tls-cert-file={self.path('api.crt')}",
            f"--tls-private-key-file={self.path('api.key')}",
            f"--token-auth-file={self.path('tokens')}", "--authorization-mode=RBAC",
            f"--service-account-issuer={self.url}",
            f"--service-account-key-file={self.path('accounts.pub')}",
            f"--service-account-signing-key-file={self.path('accounts.key')}",
            # Nobody is to reach it by its service, so it has no endpoint to write down.
            f"--advertise-address={self.address}", "--endpoint-reconciler-type=none",
            "--feature-gates=IPv6DualStack=true",
            f"--service-cluster-ip-range={self.services},{SERVICES_6}", *more)
        wait_until(self.ready, "kube-apiserver is ready: " + self.path("kube-apiserver.log"))

    def ready(self):
        if self.processes["kube-apiserver"].poll() is not None:
            with open(self.path("kube-apiserver.log"), encoding="utf-8") as log:
                raise RuntimeError("kube-apiserver ended: " + log.read()[-2000:])
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def kubeconfig(self, name, token):
        """The file with which a program of Kubernetes reaches the server."""
        return self.write(name, json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {
                "server": self.url, "certificate-authority": self.ca_file}}],
            "users": [{"name": "u", "user": {"token": token}}]}))

    def start_controllers(self):
        self.start("kube-controller-manager",
                   "--kubeconfig=" + self.kubeconfig("controllers.json", ADMIN),
                   "--leader-elect=false", "--bind-address=127.0.0.1",
                   f"--secure-port={free_port()}", "--port=0", f"--cert-dir={self.folder}",
                   f"--service-account-private-key-file={self.path('accounts.key')}",
                   f"--root-ca-file={self.ca_file}",
                   f"--flex-volume-plugin-dir={self.folder}",
                   # Nodes without a kubelet fall silent, which is nothing to act upon here.
                   "--controllers=*,-nodelifecycle,-nodeipam,-cloud-node-lifecycle")
        wait_until(lambda: self.get("/api/v1/namespaces/default/serviceaccounts")["items"],
                   "kube-controller-manager works")

    def raw(self, target, token=ADMIN):
        """The bytes of a reply, as they came."""
        return b"".join(self.pieces(target, token))

    def pieces(self, target, token=ADMIN):
        with self.connect() as tls:
            tls.sendall(request(target, f"{self.address}:{self.port}", token))
            while piece := tls.recv(1 << 16):
                yield piece

    def connect(self):
        plain = socket.create_connection((self.address, self.port))
        return self.context.wrap_socket(plain, server_hostname=self.address)

    def ask(self, method, path, body=None, kind="application/json", token=ADMIN):
        """Status and object."""
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        # HTTP/1.0, so that the reply comes in one piece.
        head = (f"{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: {kind}\r\nContent-Length: {len(data or '')}\r\n\r\n")
        with self.connect() as tls:
            tls.sendall((head + (data or "")).encode())
            reply = b""
            while piece := tls.recv(1 << 16):
                reply += piece
        head, _, text = reply.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        return status, json.loads(text) if text.startswith(b"{") else text.decode()

    def get(self, path):
        status, found = self.ask("GET", path)
        assert status == 200, (path, status, found)
        return found

    def change(self, method, path, body=None, kind="application/json"):
        status, found = self.ask(method, path, body, kind)
        assert status in (200, 201, 202), (method, path, status, found)
        return found

    def create(self, path, body):
        return self.change("POST", path, body)

    def apply(self, file, change=lambda text: text):
        """Each object of a file of the project, as it is there unless it is changed."""
        with open(file, encoding="utf-8") as text:
            for document in re.split(r"^---$", change(text.read()), flags=re.M):
                kind = re.search(r"^kind: (\S+)", document, re.M)[1]
                version = re.search(r"^apiVersion: (\S+)", document, re.M)[1]
                base = f"/apis/{version}" if "/" in version else f"/api/{version}"
                if not kind.startswith("Cluster"):
                    space = re.search(r"^  namespace: (\S+)", document, re.M)[1]
                    base += f"/namespaces/{space}"
                self.change("POST", f"{base}/{kind.lower()}s", document, "application/yaml")

    def namespace(self, name):
        self.create("/api/v1/namespaces", {"metadata": {"name": name}})
        # Pods are refused until the controller has made the namespace's account.
        wait_until(lambda: self.ask(
            "GET", f"/api/v1/namespaces/{name}/serviceaccounts/default")[0] == 200, name)

    def token_of(self, namespace, account):
        """Of a service account, as a pod gets it."""
        return self.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
                           {"spec": {}})["status"]["token"]

    def node(self, name, *addresses):
        self.create("/api/v1/nodes", {"metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name}}})
        self.status(f"/api/v1/nodes/{name}", {
            "addresses": [{"type": "InternalIP", "address": a} for a in addresses],
            "conditions": [{"type": "Ready", "status": "True"}]})
        self.untaint(name)

    def untaint(self, name):
        """A new node counts as not ready until the controller for that, which is off, sees it."""
        self.change("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": None}},
                    "application/merge-patch+json")

    def status(self, path, status):
        return self.change("PATCH", f"{path}/status", {"status": status},
                           "application/strategic-merge-patch+json")

    def pods(self, namespace, prefix=""):
        return [pod for pod in self.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
                if pod["metadata"]["name"].startswith(prefix)]

    def bind(self, pod, node):
        """As the scheduler does."""
        metadata = pod["metadata"]
        self.create(path_of(pod) + "/binding", {
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node}})

    def run(self, pod, node_ip, *ips, phase="Running"):
        """As the kubelet of its node does once the containers are there; their ids by name."""
        ids = {c["name"]: os.urandom(32).hex() for c in
               pod["spec"].get("initContainers", []) + pod["spec"]["containers"]}
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        running = phase == "Running"

        def statuses(containers, runs):
            for c in containers:
                id = "containerd://" + ids[c["name"]]
                ended = {"exitCode": 0, "reason": "Completed", "startedAt": now,
                         "finishedAt": now, "containerID": id}
                yield {"name": c["name"], "image": c["image"], "ready": runs, "started": runs,
                       "state": {"running": {"startedAt": now}} if runs else {"terminated": ended},
                       "restartCount": 0, "imageID": "sha256:" + "0" * 64, "containerID": id}

        status = {
            "phase": phase, "hostIP": node_ip, "startTime": now,
            "podIP": ips[0] if ips else node_ip, "podIPs": [{"ip": i} for i in ips or (node_ip,)],
            "conditions": [{"type": t, "status": "True" if running or t == "PodScheduled"
                            else "False", "lastTransitionTime": now} for t in (
                "Initialized", "Ready", "ContainersReady", "PodScheduled")],
            "containerStatuses": [*statuses(pod["spec"]["containers"], running)]}
        if init := pod["spec"].get("initContainers"):
            status["initContainerStatuses"] = [*statuses(init, False)]
        self.status(path_of(pod), status)
        return ids

    def wait(self, pod, node_ip):
        """As the kubelet of its node does while it makes the containers."""
        self.status(path_of(pod), {"phase": "Pending", "hostIP": node_ip, "containerStatuses": [
            {"name": c["name"], "image": c["image"], "imageID": "", "ready": False,
             "started": False, "restartCount": 0,
             "state": {"waiting": {"reason": "ContainerCreating"}}}
            for c in pod["spec"]["containers"]]})

    def delete(self, pod):
        """At once, which is how a kubelet ends what a user's DELETE began."""
        self.change("DELETE", path_of(pod), {"gracePeriodSeconds": 0})

    def compact(self):
        """Of etcd all that is not now, so that places before it are too old."""
        environment = {**os.environ, "ETCDCTL_API": "3"}
        etcdctl = [os.path.join(self.programs, "etcdctl"),
                   f"--endpoints=http://127.0.0.1:{self.etcd_port}"]
        found = subprocess.run([*etcdctl, "endpoint", "status", "--write-out=json"], check=True,
                               capture_output=True, env=environment).stdout
        revision = json.loads(found)[0]["Status"]["header"]["revision"]
        subprocess.run([*etcdctl, "compact", str(revision)], check=True, capture_output=True,
                       env=environment)


def request(target, host, token):
    """As the command makes it."""
    return (f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: masflow\r\n"
            "Accept: application/json\r\nConnection: close\r\n" +
            (f"Authorization: Bearer {token}\r\n" if token else "") + "\r\n").encode()


def body_of(data):
    """The object in the bytes of a reply, if it is one."""
    head, _, body = data.partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        text = b""
        while (size := int(body[:body.index(b"\r\n")], 16)) != 0:
            begin = body.index(b"\r\n") + 2
            text += body[begin:begin + size]
            body = body[begin + size + 2:]
        body = text
    return json.loads(body) if body.startswith(b"{") else None


def path_of(pod):
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
