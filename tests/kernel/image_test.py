# SPDX-License-Identifier: Apache-2.0
"""The image of docs/deploy/Dockerfile, built from the project's commit and put to work.

The base images are made by debootstrap from this system's own mirrors: nothing comes from a
registry. Takes minutes, so only "ctest -C image" runs it. Environment: MASFLOW is the path of the
command. Needs root, docker.io, debootstrap, runc, git and a static busybox.
"""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from docker_test import Daemon, check_docker_run_line
from workloads_test import Container, Manifest, Pod, Pods

PROJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
SUITE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def sources():
    """This system's own of the suite: lines for apt, the release itself first."""
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Identifier: Packages"],
        check=True, capture_output=True, text=True).stdout.split("\n")
    pairs = {tuple(line.split()) for line in found if "debian" in line}
    return [f"deb [signed-by={KEYRING}] {address} {release} main"
            for address, release in sorted(pairs, key=lambda pair: (pair[1], pair[0]))
            if release.split("-")[0] == SUITE]


def make_base(folder):
    lines = sources()
    os.chmod(folder, 0o755)
    subprocess.run(["debootstrap", "--variant=minbase", f"--keyring={KEYRING}", SUITE, folder,
                    lines[0].split()[2]], check=True, stdout=subprocess.DEVNULL)
    with open(f"{folder}/etc/apt/sources.list", "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    for file in glob.glob(f"{folder}/var/cache/apt/**/*.*", recursive=True) + \
            glob.glob(f"{folder}/var/lib/apt/lists/*_*"):
        os.remove(file)


class Image(Pods):
    @classmethod
    def setUpClass(cls):
        for tool in ("dockerd", "docker", "debootstrap"):
            if shutil.which(tool) is None:
                raise unittest.SkipTest(f"there is no {tool}")
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.close)
        if why := cls.daemon.why_not():
            raise unittest.SkipTest("dockerd does not start: " + why)
        with tempfile.TemporaryDirectory() as base:
            make_base(base)
            cls.daemon.import_image("debian:bookworm", base)
            for folder in ("doc", "man", "locale", "info"):  # as in the slim one
                shutil.rmtree(f"{base}/usr/share/{folder}")
            cls.daemon.import_image("debian:bookworm-slim", base)
        cls.build()

    @classmethod
    def build(cls):
        with tempfile.TemporaryDirectory() as context:
            archive = subprocess.run(["git", "-C", PROJECT, "archive", "HEAD"], check=True,
                                     capture_output=True).stdout
            subprocess.run(["tar", "-x", "-C", context], input=archive, check=True)
            built = cls.daemon.run("build", "--network", "host", "--tag", "masflow", "--file",
                                   f"{context}/docs/deploy/Dockerfile", context, check=False)
        if built.returncode != 0:
            raise RuntimeError(built.stdout[-4000:] + built.stderr[-4000:])
        size = int(cls.daemon.run("image", "inspect", "--format", "{{.Size}}", "masflow").stdout)
        base = int(cls.daemon.run("image", "inspect", "--format", "{{.Size}}",
                                  "debian:bookworm-slim").stdout)
        print(f"image: {size >> 20} MiB, {(size - base) >> 20} of them above its base")

    def test_with_the_rights_of_the_daemonset(self):
        """Its file system and entry point under runc: Debian's Docker knows no CAP_BPF."""
        manifest = Manifest()
        image = tempfile.mkdtemp(dir=self.node.folder)
        id = self.daemon.run("create", "masflow").stdout.strip()
        self.addCleanup(self.daemon.run, "rm", id)
        self.daemon.run("export", "--output", f"{image}.tar", id)
        subprocess.run(["tar", "-xf", f"{image}.tar", "-C", image], check=True)
        made = json.loads(self.daemon.run("image", "inspect", "--format", "{{json .Config}}",
                                          "masflow").stdout)

        def change(config, _):
            config["root"]["path"] = image
            config["process"]["args"] = [*made["Entrypoint"], *manifest.args]
            config["process"]["env"] = made["Env"] or []
            manifest.apply(self.node, config, image)

        self.check_agent(Container(Pod(self.node, "masflow"), "masflow", change=change))

    def test_docker_run_line_of_the_docs(self):
        check_docker_run_line(self, self.daemon)


if __name__ == "__main__":
    unittest.main()
