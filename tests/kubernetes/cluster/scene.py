# SPDX-License-Identifier: Apache-2.0
"""What runs in the recorded cluster, and what a source of names should make of it."""
from cluster import path_of, wait_until

NODE, NODE_IP = "worker-1", "172.18.0.3"
OTHER, OTHER_IP = "worker-2", "172.18.0.4"
STATIC_HASH = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


def containers(*names, **more):
    """With more than names, as in life: all of which is to be skipped."""
    return [{"name": name, "image": f"registry.example/{name}:1.4.2",
             "ports": [{"containerPort": 8080, "name": "http"}],
             "env": [{"name": "DATABASE_URL", "value": "postgres://db-0.db.shop:5432/shop"},
                     {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
             "resources": {"requests": {"cpu": "100m", "memory": "128Mi"},
                           "limits": {"memory": "256Mi"}},
             "volumeMounts": [{"name": "cache", "mountPath": "/var/cache"}], **more}
            for name in names]


PROBES = {"readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
          "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}}}
# As newer clusters put into each pod.
TOKEN = {"name": "kube-api-access", "projected": {"sources": [
    {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {"downwardAPI": {"items": [{"path": "namespace",
                                "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]}}


def template(labels, *names, **more):
    return {"metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true"}},
            "spec": {"containers": containers(*names, **PROBES),
                     "volumes": [{"name": "cache", "emptyDir": {}}, TOKEN], **more}}


def pod(name, labels, *names, **more):
    return {"metadata": {"name": name, "labels": labels}, **{
        "spec": template(labels, *names, **more)["spec"]}}


class Expected:
    """One line for each pod and service, in the form of RecordedTest's own."""

    def __init__(self):
        self.lines = {}

    def pod(self, object, owner="", ips=(), node_ip="", ids=None, labels=None, cgroup=""):
        metadata = object["metadata"]
        labels = metadata.get("labels", {}) if labels is None else labels
        self.lines[metadata["uid"]] = " ".join((
            "pod", metadata["uid"], f"cgroup={cgroup}",
            f"{metadata['namespace']}/{metadata['name']}", f"owner={owner}",
            "ips=" + ",".join(ips), f"node={node_ip}",
            "labels=" + ",".join(f"{k}={labels[k]}" for k in sorted(labels)),
            "containers=" + ",".join(f"{k}:{v}" for k, v in sorted((ids or {}).items()))))

    def service(self, object, *ips):
        metadata = object["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        self.lines[name] = f"service {name} ips=" + ",".join(ips)

    def gone(self, object):
        del self.lines[object["metadata"]["uid"]]

    def text(self):
        return "".join(line + "\n" for line in sorted(self.lines.values()))


class Scene:
    """Deployments and the like are the real controllers'; nodes and their kubelets are played."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.node = Expected()   # of NODE
        self.all = Expected()    # of the cluster
        self.services = Expected()
        cluster.node(NODE, NODE_IP)
        cluster.node(OTHER, OTHER_IP)
        for namespace in ("shop", "batch", "masflow"):
            cluster.namespace(namespace)
        self.make_workloads()
        self.make_pods()
        self.make_services()

    def make_workloads(self):
        def selected(labels, *names, **more):
            return {"selector": {"matchLabels": {"app": labels["app"]}},
                    "template": template(labels, *names, **more)}

        frontend = {"app": "frontend", "app.kubernetes.io/version": "2.7.1"}
        create = self.cluster.create
        create("/apis/apps/v1/namespaces/shop/deployments", {
            "metadata": {"name": "frontend"},
            "spec": {"replicas": 2, **selected(frontend, "server", "mesh-proxy",
                                               initContainers=containers("init-db"))}})
        create("/apis/apps/v1/namespaces/shop/statefulsets", {
            "metadata": {"name": "db"},
            "spec": {"serviceName": "db", "replicas": 1, **selected({"app": "db"}, "postgres")}})
        create("/apis/apps/v1/namespaces/kube-system/daemonsets", {
            "metadata": {"name": "node-agent"},
            "spec": selected({"app": "node-agent"}, "agent", hostNetwork=True)})
        create("/apis/batch/v1/namespaces/batch/jobs", {
            "metadata": {"name": "import"},
            "spec": {"template": template({"app": "import"}, "import", restartPolicy="Never")}})

    def made(self, namespace, prefix, count=1):
        wait_until(lambda: len(self.cluster.pods(namespace, prefix)) == count, prefix)
        return self.cluster.pods(namespace, prefix)

    def start(self, pod, node, *ips, owner="", phase="Running", address=True):
        """Binds it, unless something has, runs it and notes what is to be told of it."""
        node_ip = {NODE: NODE_IP, OTHER: OTHER_IP}[node]
        if "nodeName" not in pod["spec"]:
            self.cluster.bind(pod, node)
        ids = self.cluster.run(pod, node_ip, *ips, phase=phase)
        for expected in [self.all] + [self.node] * (node == NODE):
            expected.pod(pod, owner, ips if address else (), node_ip, ids)

    def make_pods(self):
        first, second = self.made("shop", "frontend-", 2)
        self.start(first, NODE, "10.244.1.17", "fd00:10:244:1::11", owner="Deployment/frontend")
        self.start(second, OTHER, "10.244.2.9", owner="Deployment/frontend")
        self.start(self.made("shop", "db-")[0], NODE, "10.244.1.18", owner="StatefulSet/db")
        for agent in self.made("kube-system", "node-agent-", 2):
            # The controller wants one on each node, and says which by affinity.
            node = NODE if NODE in str(agent["spec"]["affinity"]) else OTHER
            self.start(agent, node, owner="DaemonSet/node-agent")
        self.start(self.made("batch", "import-")[0], NODE, "10.244.1.19", owner="Job/import",
                   phase="Succeeded", address=False)
        self.toolbox = self.cluster.create("/api/v1/namespaces/shop/pods",
                                           pod("toolbox", {"run": "toolbox"}, "toolbox"))
        self.start(self.toolbox, NODE, "10.244.1.20")
        # Accepted by its node, with nothing started yet.
        self.pending = self.cluster.create("/api/v1/namespaces/shop/pods", pod(
            "pending", {"run": "pending"}, "slow", nodeName=NODE))
        self.cluster.wait(self.pending, NODE_IP)
        for expected in (self.all, self.node):
            expected.pod(self.pending, node_ip=NODE_IP)
        self.make_mirror()

    def make_mirror(self):
        """As a kubelet shows a pod of a manifest on its node."""
        node = self.cluster.get(f"/api/v1/nodes/{NODE}")
        mirror = pod(f"proxy-{NODE}", {"component": "proxy"}, "proxy", nodeName=NODE,
                     hostNetwork=True)
        # The form of a kubelet's: the hash is the UID that it uses for the cgroup.
        mirror["metadata"]["annotations"] = {
            "kubernetes.io/config.hash": STATIC_HASH, "kubernetes.io/config.mirror": STATIC_HASH,
            "kubernetes.io/config.source": "file",
            "kubernetes.io/config.seen": "2026-03-02T09:14:31.000000000Z"}
        mirror["metadata"]["ownerReferences"] = [{
            "apiVersion": "v1", "kind": "Node", "name": NODE, "controller": True,
            "uid": node["metadata"]["uid"]}]
        # The API takes neither environment nor tokens from outside in such a pod.
        mirror["spec"]["volumes"].remove(TOKEN)
        del mirror["spec"]["containers"][0]["env"]
        mirror = self.cluster.create("/api/v1/namespaces/kube-system/pods", mirror)
        ids = self.cluster.run(mirror, NODE_IP)
        for expected in (self.all, self.node):
            expected.pod(mirror, f"Node/{NODE}", (), NODE_IP, ids, cgroup=STATIC_HASH)

    def make_services(self):
        for name, spec in (
                ("frontend", {"ipFamilyPolicy": "RequireDualStack"}),
                ("nodes", {"type": "NodePort"}),
                ("db", {"clusterIP": "None"}),
                ("elsewhere", {"type": "ExternalName", "externalName": "shop.example"})):
            body = {"metadata": {"name": name, "labels": {"app": name}},
                    "spec": {"selector": {"app": name}, **spec}}
            if "externalName" not in spec:
                body["spec"]["ports"] = [{"name": "http", "port": 80, "targetPort": 8080}]
            made = self.cluster.create("/api/v1/namespaces/shop/services", body)
            ips = made["spec"].get("clusterIPs", [])
            self.services.service(made, *(ip for ip in ips if ip != "None"))
        own = self.cluster.get("/api/v1/namespaces/default/services/kubernetes")
        self.services.service(own, *own["spec"]["clusterIPs"])

    def change_pods(self):
        """What a watch of NODE shows."""
        debug = self.cluster.create("/api/v1/namespaces/shop/pods", pod(
            "debug", {"run": "debug"}, "debug", nodeName=NODE))
        self.start(debug, NODE, "10.244.1.21")
        self.cluster.change("PATCH", "/apis/apps/v1/namespaces/shop/deployments/frontend/scale",
                            {"spec": {"replicas": 3}}, "application/merge-patch+json")
        third = next(p for p in self.made("shop", "frontend-", 3) if "nodeName" not in p["spec"])
        self.start(third, NODE, "10.244.1.22", owner="Deployment/frontend")
        # As `kubectl delete` has it, and then the kubelet.
        self.cluster.change("DELETE", path_of(self.toolbox))
        self.cluster.delete(self.toolbox)
        self.all.gone(self.toolbox)
        self.node.gone(self.toolbox)

    def change_services(self):
        made = self.cluster.create("/api/v1/namespaces/shop/services", {
            "metadata": {"name": "later"}, "spec": {"ports": [{"port": 80}]}})
        self.services.service(made, *made["spec"]["clusterIPs"])
        self.cluster.change("DELETE", "/api/v1/namespaces/shop/services/nodes")
        del self.services.lines["shop/nodes"]
