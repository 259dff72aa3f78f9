# SPDX-License-Identifier: Apache-2.0
"""A real node of a Cluster: kubelet, containerd and runc, with Debian's CNI plugins.

All of it lives in a mount and a process namespace of its own, so that it goes with one process,
and what it writes to fixed places (/var/log/pods, /run, /var/lib/kubelet) is not this machine's.
The network is one of its own too, for the servers and the test as well: see enter_network().
Needs root, containerd, runc.
"""
import glob
import hashlib
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import tarfile

from cluster import ADMIN, NODE_API, free_port, wait_until

PODS = "10.244.77.0/24"
NODE_IP = "172.18.0.3"
PAUSE = "registry.example/pause:1"
# What the kubelet sets, for the machine.
SETTINGS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
            "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")
# Without CAP_SYS_RESOURCE, as in many virtual machines, no container could start otherwise.
CONTAINERD = """version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{folder}/socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{programs}/cni"
    conf_dir = "{folder}"
"""
START = """set -eu
for folder in /run /var/log /var/lib /usr/libexec; do mount -t tmpfs none $folder; done
mount -t proc proc /proc
containerd --config {folder}/containerd.toml >{folder}/containerd.log 2>&1 &
until ctr -a {folder}/socket version >/dev/null 2>&1; do sleep 0.1; done
for image in {folder}/*.image; do
  ctr -a {folder}/socket -n k8s.io images import --no-unpack $image
done
exec {kubelet}
"""


def enter_network():
    """Begins the program anew in a network that goes with it, and reaches nothing else."""
    if os.environ.get("MASFLOW_NETWORK") != "own":
        os.environ["MASFLOW_NETWORK"] = "own"
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-B", *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in (NODE_API, NODE_IP):
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)


def image(name, root, **config):
    """An archive, in Docker's form, of an image with one layer."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(root, arcname=".")
    layer = layer.getvalue()
    described = json.dumps({"architecture": "amd64", "os": "linux", "config": config, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
    id = hashlib.sha256(described).hexdigest()
    manifest = [{"Config": f"{id}.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for file, data in ((f"{id}.json", described), ("layer.tar", layer),
                           ("manifest.json", json.dumps(manifest).encode())):
            member = tarfile.TarInfo(file)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return archive.getvalue()


class Node:
    """`images`: archives; `manifests`: static pods, by name."""

    def __init__(self, cluster, name, images, manifests=None):
        self.cluster = cluster
        self.name = name
        self.folder = cluster.path("node")
        os.makedirs(f"{self.folder}/manifests")
        self.port, self.open_port = free_port(), free_port()
        self.url, self.open_url = (f"https://127.0.0.1:{self.port}",
                                   f"http://127.0.0.1:{self.open_port}")
        for number, data in enumerate(images):
            with open(f"{self.folder}/{number}.image", "wb") as file:
                file.write(data)
        for file, pod in (manifests or {}).items():
            self.write(f"manifests/{file}.json", json.dumps(pod))
        self.write("containerd.toml", CONTAINERD.format(
            folder=self.folder, pause=PAUSE, programs=cluster.programs))
        # Without masquerading no rule of the firewall is made.
        self.write("10-pods.conflist", json.dumps({
            "cniVersion": "0.4.0", "name": "pods", "plugins": [{
                "type": "ptp", "ipMasq": False, "ipam": {
                    "type": "host-local", "dataDir": f"{self.folder}/addresses",
                    "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}))
        self.settings = {name: self.setting(name) for name in SETTINGS}
        script = START.format(folder=self.folder, kubelet=shlex.join(self.kubelet()))
        with open(f"{self.folder}/log", "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="ascii") as file:
            file.write(text)

    def kubelet(self):
        folder = self.folder
        return [f"{self.cluster.programs}/kubelet",
                "--kubeconfig=" + self.cluster.kubeconfig("kubelet.json", ADMIN),
                "--container-runtime=remote",
                f"--container-runtime-endpoint=unix://{folder}/socket",
                f"--root-dir={folder}/kubelet", f"--cert-dir={folder}/certificates",
                f"--pod-manifest-path={folder}/manifests", "--cgroup-driver=cgroupfs",
                "--fail-swap-on=false", "--address=127.0.0.1", f"--port={self.port}",
                f"--read-only-port={self.open_port}", "--healthz-port=0",
                f"--hostname-override={self.name}", f"--node-ip={NODE_IP}",
                "--anonymous-auth=false", "--authentication-token-webhook=true", "--authorization-mode=Webhook",
                "--enforce-node-allocatable=", "--make-iptables-util-chains=false",
                "--eviction-hard=memory.available<1Mi", "--resolv-conf=",
                f"--volume-plugin-dir={folder}/plugins"]

    @staticmethod
    def setting(name, value=None):
        with open(f"/proc/sys/{name}", "r" if value is None else "w", encoding="ascii") as file:
            return file.read() if value is None else file.write(value)

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as log:
                    raise RuntimeError("the node ended: " + log.read()[-2000:])
            status, node = self.cluster.ask("GET", f"/api/v1/nodes/{self.name}")
            return status == 200 and any(c["type"] == "Ready" and c["status"] == "True"
                                         for c in node["status"].get("conditions", []))
        wait_until(ready, "the node is ready: " + self.folder)
        self.cluster.untaint(self.name)
        for name, value in self.settings.items():  # it has set them by now
            self.setting(name, value)

    def logs(self, path):
        """Of the files of /var/log/pods that a pattern finds, there."""
        pid = subprocess.run(["pgrep", "-P", str(self.process.pid)], check=True,
                             capture_output=True, text=True).stdout.split()[0]
        text = ""
        for file in glob.glob(f"/proc/{pid}/root/var/log/pods/{path}"):
            with open(file, encoding="utf-8") as log:
                text += log.read()
        text = text[:text.rfind("\n") + 1]  # it may be at it
        # "2026-03-02T09:14:31.1Z stdout F " before each line
        return [line.split(" ", 3)[3] for line in text.splitlines()]

    def close(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for name, value in self.settings.items():
            self.setting(name, value)
        for top in glob.glob("/sys/fs/cgroup/kubepods") + glob.glob("/sys/fs/cgroup/*/kubepods"):
            wait_until(lambda t=top: self.removed(t), top)

    @staticmethod
    def removed(top):
        for directory, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:  # its processes are on their way out
                return False
        return True
