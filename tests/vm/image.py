# SPDX-License-Identifier: Apache-2.0
"""The initramfs of a test machine: busybox as init, the test programs, and what these run."""

import os
import pathlib
import re
import shutil
import subprocess

# The tests run these by their usual paths; as busybox's applets they would have other images.
TOOLS = ("/bin/sh", "/bin/ls", "/bin/cat", "/bin/true", "/bin/false", "/usr/bin/nc",
         "/usr/bin/curl", "/usr/bin/sleep", "/bin/ip")
MODULES = ("tun", "tls")
UNPACK = {".xz": ("xz", "-dc"), ".zst": ("zstd", "-dcq"), ".gz": ("gzip", "-dc")}


class Image:
    """A folder that becomes the root of the machine."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("dev", "proc", "sys", "tmp", "run", "root", "etc", "usr/bin", "usr/lib",
                       "usr/lib64", "usr/sbin", "var/log"):
            (root / folder).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):  # as everywhere since Debian 12
            (root / name).symlink_to(f"usr/{name}")
        (root / "tmp").chmod(0o1777)
        self.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        self.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        self.text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")

    def text(self, path: str, content: str, mode: int = 0o644) -> None:
        target = self.root / path
        target.write_text(content)
        target.chmod(mode)

    def file(self, source: str, target: str) -> None:
        """Copies what `source` leads to."""
        copy = self.root / target.lstrip("/")
        if copy.exists():
            return
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        shutil.copymode(source, copy)

    def program(self, source: str, target: str | None = None) -> None:
        """A program with the shared libraries that it needs, at their own paths."""
        self.file(source, target or source)
        found = subprocess.run(("ldd", source), capture_output=True, text=True, check=False)
        for library in re.findall(r"(/\S+) \(0x", found.stdout):
            self.file(library, library)

    def pack(self, archive: pathlib.Path) -> None:
        # Not compressed: the emulated processor would take longer to unpack it than to read it.
        names = "\n".join(str(p.relative_to(self.root)) for p in sorted(self.root.rglob("*")))
        with archive.open("wb") as out:
            subprocess.run(("cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"), cwd=self.root,
                           input=names.encode(), stdout=out, check=True)


def busybox(image: Image) -> None:
    image.file(shutil.which("busybox") or "/bin/busybox", "/usr/bin/busybox")


def modules(image: Image, folder: pathlib.Path) -> None:
    """Those that the tests use and that are not part of the kernel itself."""
    (image.root / "modules").mkdir()
    for name in MODULES:
        for found in folder.rglob(f"{name}.ko*"):
            target = image.root / "modules" / f"{name}.ko"
            if found.suffix == ".ko":
                shutil.copyfile(found, target)
            else:
                with target.open("wb") as out:
                    subprocess.run((*UNPACK[found.suffix], found), stdout=out, check=True)


def tools(image: Image) -> None:
    for tool in TOOLS:
        if os.path.exists(tool):
            image.program(os.path.realpath(tool), tool)
