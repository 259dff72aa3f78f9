#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""record.py <folder of build.sh> <folder of recordings>

Writes anew what a real API server and a real kubelet reply: each file has the bytes of one
connection, head and chunks and all. What a source of names should make of it is in the files
*.expected. Needs root, containerd, runc, iproute2 and a static busybox.
"""
import os
import sys
import threading

from cluster import Cluster, body_of
from node import enter_network
from record_node import record_node
from scene import NODE, Scene

PODS = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NODE}&"
ALL = "/api/v1/pods?"
SERVICES = "/api/v1/services?"
WATCH_S = 8  # a bookmark comes two seconds before the end


class Recorder:
    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.folder = folder
        self.requests = []

    def write(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    def keep(self, name, target, data):
        self.requests.append((name, target))
        self.write(name + ".http", data)

    def record(self, name, target, **options):
        """The object of the reply, if it is one."""
        data = self.cluster.raw(target, **options)
        self.keep(name, target, data)
        return body_of(data)

    def watch(self, name, target, version, changes):
        """The reply to a watch during which the changes are made."""
        target += (f"watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_S}"
                   f"&resourceVersion={version}")
        pieces = self.cluster.pieces(target)
        data = next(pieces)  # the head: it is open
        changing = threading.Thread(target=changes)
        changing.start()
        data += b"".join(pieces)
        changing.join()
        self.keep(name, target, data)


def record_lists(recorder, scene):
    pods = recorder.record("pods_of_node", PODS + "resourceVersion=0")
    recorder.write("pods_of_node.expected", scene.node.text().encode())
    services = recorder.record("services", SERVICES + "limit=500")
    recorder.write("services.expected", scene.services.text().encode())
    page, number, rest = None, 1, ""
    while page is None or rest:
        page = recorder.record(f"pods_page_{number}", ALL + "limit=4" + (
            f"&continue={rest}" if rest else ""))
        rest, number = page["metadata"].get("continue"), number + 1
    recorder.write("pods_page.expected", scene.all.text().encode())
    return pods["metadata"]["resourceVersion"], services["metadata"]["resourceVersion"]


def record_refusals(recorder):
    cluster = recorder.cluster
    recorder.record("unauthorized", ALL + "limit=500", token="of-nobody")
    cluster.create("/api/v1/namespaces/masflow/serviceaccounts",
                   {"metadata": {"name": "masflow"}})
    token = cluster.token_of("masflow", "masflow")
    recorder.record("forbidden_pods", ALL + "limit=500", token=token)
    recorder.record("forbidden_services", SERVICES + "limit=500", token=token)


def record_gone(recorder):
    cluster = recorder.cluster
    page = body_of(cluster.raw(ALL + "limit=4"))
    cluster.node("later", "172.18.0.5")
    cluster.compact()
    recorder.record("list_gone", ALL + "limit=4&continue=" + page["metadata"]["continue"])
    target = PODS + f"watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_S}&resourceVersion=1"
    # A server that has just started remembers nothing; without a memory it asks etcd, and words
    # it otherwise.
    for name, options in (("watch_gone", ()), ("watch_gone_uncached", ("--watch-cache=false",))):
        cluster.stop("kube-apiserver")
        cluster.start_api_server(*options)
        recorder.record(name, target)


def main():
    programs, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        if name.endswith((".http", ".expected", ".txt")):
            os.remove(os.path.join(folder, name))
    cluster = Cluster(programs, for_pods=True)
    try:
        recorder = Recorder(cluster, folder)
        scene = Scene(cluster)
        pods_version, services_version = record_lists(recorder, scene)
        recorder.watch("watch_pods", PODS, pods_version, scene.change_pods)
        recorder.write("watch_pods.expected", scene.node.text().encode())
        recorder.watch("watch_services", SERVICES, services_version, scene.change_services)
        recorder.write("watch_services.expected", scene.services.text().encode())
        record_refusals(recorder)
        record_node(recorder)
        record_gone(recorder)
        recorder.write("requests.txt", "".join(
            f"{name} {target}\n" for name, target in recorder.requests).encode())
        print(cluster.get("/version")["gitVersion"])
    finally:
        cluster.close()


if __name__ == "__main__":
    enter_network()
    main()
