# SPDX-License-Identifier: Apache-2.0
"""The command beside real servers and clients of HTTP: each request once at each end.

Environment: MASFLOW is the path of the command. Needs root, nginx, wrk, curl and node.
"""
import collections
import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from command_test import Command, DEADLINE_S, wait_until

REQUESTS = 50_000
CONNECTIONS = 16
CURLS = 50
WORK_NS = 100_000_000  # of the servers behind the proxy
# A reader on another CPU can be done before the call that wrote has returned.
SLACK_NS = 20_000_000

NGINX = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  log_format brief "$request_uri $status $remote_port $request_method";
  access_log {folder}/access.log brief;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {upstreams}
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "hello"; }}
    {locations}
  }}
}}
"""
UPSTREAM = "upstream {name} {{ server 127.0.0.1:{port}; keepalive 4; }}"
LOCATION = """
    location /{name}/ {{
      proxy_pass http://{name};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}"""

WRK = """
local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end
function init()
  sent = 0
end
function request()
  sent = sent + 1
  local path = "/wrk" .. id .. "-" .. sent
  if sent % 3 == 0 then
    return wrk.format("POST", path, nil, "some body")
  end
  return wrk.format("GET", path)
end
"""

NODE = """
const server = require("http").createServer((request, response) => {
  setTimeout(() => response.end("node"), 100);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""
PYTHON = """
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(0.1)
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"python")
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

Seen = collections.namedtuple("Seen", "method status source destination outcome")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Nginx:
    def __init__(self, folder, behind=()):
        """behind: pairs of a name, which is the first part of the path, and a port."""
        self.folder = folder
        self.port = free_port()
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(NGINX.format(
                folder=folder, port=self.port,
                upstreams="\n".join(UPSTREAM.format(name=n, port=p) for n, p in behind),
                locations="\n".join(LOCATION.format(name=n) for n, _ in behind)))
        os.chmod(folder, 0o755)
        self.process = subprocess.Popen(["nginx", "-p", folder, "-c", config],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        if not wait_until(lambda: listens(self.port)):
            self.__exit__()
            raise AssertionError("nginx does not start")
        return self

    def __exit__(self, *_):
        self.finish()

    def finish(self):
        """Lets it end what it is at."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(DEADLINE_S)

    def count_log(self):
        with open(os.path.join(self.folder, "access.log"), "rb") as file:
            return file.read().count(b"\n")

    def log(self):
        """(path, status, the client's port, method) of each request."""
        with open(os.path.join(self.folder, "access.log"), encoding="ascii") as file:
            lines = [line.split() for line in file]
        return [(path, int(status), int(port), method) for path, status, port, method in lines]


class Server:
    """A child that prints its port."""

    def __init__(self, *argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def __enter__(self):
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def exchanges(command):
    found = [json.loads(line) for line in command.lines()]
    return [event for event in found if event["event.name"] == "http.exchange"]


def seen(event):
    return Seen(event["http.request.method"], event.get("http.response.status_code"),
                event["source.port"], event["destination.port"], event["masflow.outcome"])


def begin_ns(event):
    seconds, fraction = event["timestamp"].rstrip("Z").split(".")
    return int(datetime.datetime.fromisoformat(seconds + "+00:00").timestamp()) * 10**9 + int(
        fraction.ljust(9, "0"))


def end_ns(event):
    return begin_ns(event) + event["masflow.duration_ns"]


class EachRequestOnce(unittest.TestCase):
    maxDiff = None

    def run_traffic(self, folder):
        """What nginx logged, and by role and path what was shown."""
        script = os.path.join(folder, "wrk.lua")
        with open(script, "w", encoding="ascii") as file:
            file.write(WRK)
        with Nginx(folder) as nginx:
            with Command("--streams", "http", "--json", "--port", str(nginx.port)) as command:
                command.wait_ready()
                url = f"http://127.0.0.1:{nginx.port}"
                # Interrupted it abandons what is under way.
                wrk = subprocess.Popen(["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", "120s",
                                        "-s", script, url], stdout=subprocess.DEVNULL)
                self.assertTrue(wait_until(lambda: nginx.count_log() >= REQUESTS))
                wrk.send_signal(signal.SIGINT)
                self.assertEqual(wrk.wait(DEADLINE_S), 0)
                for i in range(CURLS):
                    subprocess.run(["curl", "-sS", "--noproxy", "*", f"{url}/curl-{i}"], check=True,
                                   stdout=subprocess.DEVNULL)
                nginx.finish()
                self.assertEqual(command.interrupt(), 0)
                self.assertIn(" 0 lost", command.messages[-1])
                events = exchanges(command)
        by_role = {"client": collections.defaultdict(list),
                   "server": collections.defaultdict(list)}
        for event in events:
            by_role[event["masflow.role"]][event["url.path"]].append(seen(event))
        return nginx, by_role

    def assert_few(self, wrong, what, limit=0):
        self.assertLessEqual(len(wrong), limit,
                             f"{len(wrong)} {what}, such as {list(wrong)[:5]}")

    def test_of_nginx_wrk_and_curl(self):
        with tempfile.TemporaryDirectory() as folder:
            nginx, by_role = self.run_traffic(folder)
            log = {path: entry for path, *entry in nginx.log()}
            self.assertEqual(len(log), len(nginx.log()), "the ids are not unique")
        self.assertGreaterEqual(len(log), REQUESTS)
        for role, shown in by_role.items():
            with self.subTest(role):
                self.check(role, log, shown, nginx.port)

    def check(self, role, log, shown, port):
        self.assert_few({p: s for p, s in shown.items() if len(s) > 1}, "doubled")
        self.assert_few(log.keys() - shown.keys(), "missing")
        # What wrk had under way in the end, one on each connection, may have been written to a
        # server that did not read it, and answered to a client that did not.
        of_client = CONNECTIONS if role == "client" else 0
        self.assert_few(shown.keys() - log.keys(), "invented", of_client)
        wrong, abandoned = {}, {}
        for path in log.keys() & shown.keys():
            status, source, method = log[path]
            event = shown[path][0]
            if event == Seen(method, status, source, port, "complete"):
                continue
            ended = event.outcome in ("closed", "reset")
            is_wrk = path.startswith("/wrk")
            if ended and is_wrk and event[:1] + event[2:4] == (method, source, port):
                abandoned[path] = (log[path], event)
            else:
                wrong[path] = (log[path], event)
        self.assert_few(wrong.items(), "wrong")
        if role == "server":  # nginx says 499 of those whose client had gone
            abandoned = {p: both for p, both in abandoned.items() if both[0][0] != 499}
        self.assert_few(abandoned.items(), "without response", of_client)


class BehindAProxy(unittest.TestCase):
    def check_hops(self, name, server):
        with tempfile.TemporaryDirectory() as folder, \
                Nginx(folder, [(name, server.port)]) as nginx:
            ports = f"{nginx.port},{server.port}"
            with Command("--streams", "http", "--json", "--port", ports) as command:
                command.wait_ready()
                curls = {}
                for i in range(5):
                    path = f"/{name}/{i}"
                    url = f"http://127.0.0.1:{nginx.port}{path}"
                    with subprocess.Popen(["curl", "-sS", "--noproxy", "*", url],
                                          stdout=subprocess.PIPE) as curl:
                        self.assertEqual(curl.stdout.read().decode(), name)
                        curls[path] = curl.pid
                nginx.finish()
                self.assertEqual(command.interrupt(), 0)
                self.assertIn(" 0 lost", command.messages[-1])
                events = exchanges(command)
        self.assertEqual(len(events), 4 * len(curls), events)
        for path, curl in curls.items():
            hops = [[e for e in events if (e["url.path"], e["masflow.role"],
                                           e["destination.port"]) == (path, role, port)]
                    for port in (nginx.port, server.port) for role in ("client", "server")]
            self.assertEqual([len(hop) for hop in hops], [1, 1, 1, 1], (path, events))
            hops = [hop[0] for hop in hops]
            self.assertEqual({seen(e)[:2] + seen(e)[4:] for e in hops}, {("GET", 200, "complete")})
            self.assertEqual(hops[0]["process.pid"], curl)
            self.assertEqual(hops[1]["process.pid"], hops[2]["process.pid"])
            self.assertEqual(hops[3]["process.pid"], server.process.pid)
            self.assertEqual(hops[0]["source.port"], hops[1]["source.port"])
            self.assertEqual(hops[2]["source.port"], hops[3]["source.port"])
            for event in hops:
                self.assertEqual(event["http.response.body.size"], len(name), event)
                self.assertGreaterEqual(event["masflow.duration_ns"], WORK_NS - 1_000_000)
            for outer, inner in zip(hops, hops[1:]):
                self.assertLessEqual(begin_ns(outer), begin_ns(inner) + SLACK_NS)
                self.assertGreaterEqual(end_ns(outer) + SLACK_NS, end_ns(inner))

    def test_node(self):
        with Server("node", "-e", NODE) as server:
            self.check_hops("node", server)

    def test_python(self):
        with Server(sys.executable, "-c", PYTHON) as server:
            self.check_hops("python", server)


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("these tests need root")
    unittest.main()
