# SPDX-License-Identifier: Apache-2.0
"""The command beside real containers, with names from an API server and a kubelet.

Both are real HTTPS servers on the loopback; what they say are recorded replies, with the pods of
these tests in place of those that were recorded.
Environment: MASFLOW is the path of the command. Needs root, runc, busybox (a static one), openssl.
"""
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import unittest

from command_test import Command, wait_until
from http_servers_test import free_port, listens
from workloads_test import Container, Node, Pod, events

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/../kubernetes/cluster")
from cluster import body_of  # pylint: disable=wrong-import-position

BACKEND_IP = "127.44.0.7"  # any of these is this machine, and nobody else uses these
SERVICE_IP = "127.44.0.8"
TOKEN = "a-token"


def recorded(name):
    with open(f"{HERE}/../kubernetes/recorded/{name}.http", "rb") as file:
        return body_of(file.read())


def pod_object(pod, container, ip, deployment):
    """As a kubelet has written one of a Deployment."""
    known = next(p for p in recorded("pods_of_kubelet")["items"]
                 if p["metadata"]["name"].startswith("cart-"))
    metadata, status = known["metadata"], known["status"]
    metadata.update(name=pod.name, namespace=pod.namespace, uid=pod.uid)
    metadata["labels"]["app"] = deployment
    metadata["ownerReferences"][0]["name"] = \
        f"{deployment}-{metadata['labels']['pod-template-hash']}"
    known["spec"]["containers"][0]["name"] = container
    status["containerStatuses"][0]["name"] = container
    status.update(hostIP="127.0.0.1", podIP=ip, podIPs=[{"ip": ip}])
    return known


def service_list():
    services = recorded("services")
    front_door = next(s for s in services["items"] if s["metadata"]["name"] == "frontend")
    front_door["metadata"]["name"] = "front-door"
    front_door["spec"].update(clusterIP=SERVICE_IP, clusterIPs=[SERVICE_IP])
    return services


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that goes away or refuses the certificate is nothing to report."""


class Servers:
    """An API server that is also a kubelet. `pods`: what it tells of."""

    def __init__(self, folder):
        self.pods = []
        self.hang = threading.Event()  # set: requests get no answer
        self.asked = []
        self.answered = []
        key, self.certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        self.token_file = f"{folder}/token"
        with open(self.token_file, "w", encoding="ascii") as file:
            file.write(TOKEN)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=api",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                        self.certificate], check=True, capture_output=True)
        self.ended = threading.Event()
        self.server = Server(("127.0.0.1", 0), self.handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        # The handshake is the handler's: a slow one must not stop all.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        self.files = ("--ca-file", self.certificate, "--token-file", self.token_file)

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def handler(self):
        servers = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                servers.asked.append(self.path)
                if servers.hang.is_set():
                    servers.ended.wait()
                elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                    self.reply(401, recorded("unauthorized"))
                elif "watch=1" in self.path:
                    self.send_response(200)
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    servers.answered.append(self.path)
                    servers.ended.wait()
                elif self.path.startswith("/api/v1/services"):
                    self.reply(200, service_list())
                else:  # /pods of the kubelet, /api/v1/pods
                    self.reply(200, {**recorded("pods_of_kubelet"), "items": servers.pods})

            def reply(self, code, body):
                data = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                servers.answered.append(self.path)

        return Handler


class Scene(unittest.TestCase):
    """Two pods that the servers know."""

    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)
        self.servers = Servers(self.node.folder)
        self.addCleanup(self.servers.close)
        self.backend = Pod(self.node, "backend-7d8f6c5b9d-aaaaa")
        self.frontend = Pod(self.node, "frontend-7d8f6c5b9d-bbbbb")
        self.servers.pods = [pod_object(self.backend, "httpd", BACKEND_IP, "backend"),
                             pod_object(self.frontend, "shop", "127.44.0.9", "frontend")]
        self.log_dir = ("--log-dir", self.node.logs)

    def call(self, address):
        """frontend asks for /foo at an address that reaches backend; the port."""
        port = free_port()
        server = Container(self.backend, "httpd", "busybox", "httpd", "-f", "-p",
                           f"0.0.0.0:{port}", "-h", "/www")
        try:
            self.assertTrue(wait_until(lambda: listens(port)))
            client = Container(self.frontend, "shop", "busybox", "wget", "-q", "-O", "-",
                               f"http://{address}:{port}/foo")
            self.assertEqual(client.output(), "hello\n")
        finally:
            server.stop()
        return port


class Kubernetes(Scene):
    def told(self, *options):
        """What doctor says of sources of names."""
        with Command("doctor", *options, *self.log_dir) as doctor:
            self.assertEqual(doctor.end(), 0)
            return [line for line in doctor.lines() if line.startswith("names")]

    def exchanges(self, address, *options):
        """Of a call while the command runs with the options, by role."""
        with Command("--json", *options, *self.log_dir) as command:
            command.wait_ready()
            wanted = 1 if options[0] == "--kubelet" else 4  # both lists, both watches
            self.assertTrue(wait_until(lambda: len(self.servers.answered) >= wanted))
            port = self.call(address)
            self.assertEqual(command.interrupt(), 0)
            found = events(command)
        return {e["masflow.role"]: e for e in found
                if e["event.name"] == "http.exchange" and e["destination.port"] == port}

    def test_labels_owner_and_the_other_end(self):
        found = self.exchanges(BACKEND_IP, "--api-server", self.servers.url, "--node", "worker-1",
                               *self.servers.files)
        self.assertIn("/api/v1/pods?fieldSelector=spec.nodeName%3Dworker-1&resourceVersion=0",
                      self.servers.asked)
        client = found["client"]
        self.assertEqual(client["k8s.pod.name"], self.frontend.name)
        self.assertEqual(client["k8s.deployment.name"], "frontend")
        self.assertEqual(client["k8s.pod.label.app"], "frontend")
        self.assertEqual(client["k8s.pod.ip"], "127.44.0.9")
        self.assertEqual(client["masflow.node_ip"], "127.0.0.1")
        self.assertEqual(client["masflow.names_from"], "api server")
        self.assertEqual(client["masflow.peer.k8s.pod.name"], self.backend.name)
        self.assertEqual(found["server"]["k8s.deployment.name"], "backend")

    def test_service_at_the_other_end(self):
        found = self.exchanges(SERVICE_IP, "--api-server", self.servers.url, *self.servers.files)
        self.assertEqual(found["client"]["masflow.peer.k8s.service.name"], "front-door")
        self.assertEqual(found["client"]["masflow.peer.k8s.namespace.name"], "shop")

    def test_kubelet(self):
        found = self.exchanges(BACKEND_IP, "--kubelet", self.servers.url, *self.servers.files)
        self.assertEqual(found["client"]["k8s.deployment.name"], "frontend")
        self.assertEqual(found["client"]["masflow.names_from"], "kubelet")
        self.assertEqual(found["client"]["masflow.peer.k8s.pod.name"], self.backend.name)

    def test_doctor_says_which_servers_answer(self):
        options = ("--api-server", self.servers.url, "--kubelet", self.servers.url)
        self.assertEqual(self.told(*options, *self.servers.files)[-2:],
                         [f"names      api server {self.servers.url}: works",
                          f"names      kubelet {self.servers.url}: works"])
        with open(self.servers.token_file, "w", encoding="ascii") as file:
            file.write("expired")
        self.assertIn("answers 401", self.told(*options, *self.servers.files)[-1])

    def test_a_silent_server_holds_nothing_up(self):
        self.servers.hang.set()
        with Command("--json", "--api-server", self.servers.url, *self.servers.files,
                     *self.log_dir) as command:
            command.wait_ready()
            self.assertTrue(wait_until(lambda: self.servers.asked))
            port = self.call(BACKEND_IP)
            self.assertTrue(wait_until(lambda: b'"http.exchange"' in os.pread(
                command.out.fileno(), 1 << 20, 0)))
            self.assertEqual(command.interrupt(), 0)
            found = [e for e in events(command) if e.get("destination.port") == port
                     and e["event.name"] == "http.exchange"]
        self.assertEqual({e["k8s.pod.name"] for e in found},
                         {self.frontend.name, self.backend.name})
        self.assertEqual({e["masflow.names_from"] for e in found}, {"pod logs"})

    def test_a_server_that_is_not_trusted_is_told_and_gets_no_token(self):
        other = Servers(self.node.folder + "/log")
        self.addCleanup(other.close)
        with Command("--json", "--api-server", other.url, *self.servers.files, *self.log_dir) \
                as command:
            said = command.process.stderr.readline() + command.process.stderr.readline()
            self.assertIn(f"api server {other.url}: the certificate", said.decode())
            self.assertIn("masflow: ready", said.decode())
            self.call(BACKEND_IP)
            self.assertEqual(command.interrupt(), 0)
            pods = {e.get("k8s.pod.name") for e in events(command)}
        self.assertEqual(other.asked, [])
        self.assertLessEqual({self.frontend.name, self.backend.name}, pods)

    def test_wrong_use(self):
        for options, sentence in (
                (("--node", "a"), "--node goes with --api-server only"),
                (("--kubelet-insecure",), "--kubelet-insecure goes with --kubelet only"),
                (("--token-file", "/x"), "go with --api-server or --kubelet only"),
                (("--api-server", "10.0.0.1"), "it begins with neither https:// nor http://"),
                (("--api-server", "in-cluster"), "this is not in a pod"),
                (("--replay", "/x", "--kubelet", "https://a"), "a recording has the names")):
            with Command(*options) as command:
                self.assertEqual(command.end(), 2, options)
                self.assertIn(sentence, command.messages[-1])


if __name__ == "__main__":
    unittest.main()
