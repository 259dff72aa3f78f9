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
# In the order in which they need each other.
MODULES = ("tun", "tls", "ctr", "gf128mul", "ghash-generic", "crypto_null",
           "gcm")
UNPACK = {".xz": ("xz", "-dc"), ".zst": ("zstd", "-dcq"), ".gz": ("gzip", "-dc")}


class Image:
    """A folder that becomes the root of the machine. Programs of the system come from `system`,
    which is another root if the machine is of another architecture."""

    def __init__(self, root: pathlib.Path, system: pathlib.Path):
        self.root = root
        self.system = system
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
        for library in self.libraries(source):
            self.file(str(self.system / library.lstrip("/")), library)

    def libraries(self, program: str) -> list[str]:
        if self.system == pathlib.Path("/"):
            found = subprocess.run(("ldd", program), capture_output=True, text=True, check=False)
            return re.findall(r"(/\S+) \(0x", found.stdout)
        # Nothing of another architecture can be run, so the files have to tell.
        missing, found = [program], {}
        while missing:
            told = subprocess.run(("readelf", "-ld", missing.pop()), capture_output=True,
                                  text=True, check=True)
            for loader in re.findall(r"interpreter: (/[^]]+)\]", told.stdout):
                found.setdefault(loader, loader)
            for name in re.findall(r"\(NEEDED\).*\[(.+)\]", told.stdout):
                if name not in found:
                    [path] = self.system.glob(f"usr/lib/*-linux-gnu/{name}")
                    found[name] = "/" + str(path.relative_to(self.system))
                    missing.append(str(path))
        return list(found.values())

    def pack(self, archive: pathlib.Path) -> None:
        # Not compressed: the emulated processor would take longer to unpack it than to read it.
        names = "\n".join(str(p.relative_to(self.root)) for p in sorted(self.root.rglob("*")))
        with archive.open("wb") as out:
            subprocess.run(("cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"), cwd=self.root,
                           input=names.encode(), stdout=out, check=True)


def busybox(image: Image) -> None:
    image.file(str(image.system / "bin/busybox"), "/usr/bin/busybox")


def modules(image: Image, folder: pathlib.Path) -> None:
    """Those that the tests use and that are not part of the kernel itself."""
    (image.root / "modules").mkdir()
    for place, name in enumerate(MODULES):
        for found in folder.rglob(f"{name}.ko*"):
            target = image.root / "modules" / f"{place}-{name}.ko"
            if found.suffix == ".ko":
                shutil.copyfile(found, target)
            else:
                with target.open("wb") as out:
                    subprocess.run((*UNPACK[found.suffix], found), stdout=out, check=True)


def tools(image: Image) -> None:
    for tool in TOOLS:
        # What update-alternatives would have linked is not linked in a root that was only unpacked.
        for name in (tool, f"{tool}.openbsd"):
            found = image.system / name.lstrip("/")
            if found.exists():
                image.program(os.path.realpath(found), tool)
                break
