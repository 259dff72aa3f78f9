# SPDX-License-Identifier: Apache-2.0
"""What the tests of this folder share: the command, and recordings of made-up scenes.

Environment: MASFLOW and MAKE_RECORDING are the paths of the two programs.
"""
import functools
import os
import subprocess
import tempfile

MASFLOW = os.environ["MASFLOW"]
_MAKE_RECORDING = os.environ["MAKE_RECORDING"]
_FOLDER = tempfile.TemporaryDirectory(prefix="masflow-golden-")


def path(name):
    """A path in a folder that goes with the test."""
    return os.path.join(_FOLDER.name, name)


@functools.lru_cache(maxsize=None)
def recording(scene):
    """The path of the recording of a scene of make_recording.cc."""
    file = path(f"{scene}.mfr")
    subprocess.run([_MAKE_RECORDING, scene, file], check=True)
    return file


def environment(**changes):
    return {**os.environ, "TZ": "UTC", "NO_COLOR": "", "TERM": "xterm", **changes}


def run(*args, env=None, **kwargs):
    """Runs the command to its end; a CompletedProcess with bytes."""
    return subprocess.run([MASFLOW, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=30, env=env or environment(), check=False, **kwargs)


def start(*args, stdout, **kwargs):
    """Starts the command."""
    return subprocess.Popen([MASFLOW, *args], stdin=subprocess.DEVNULL, stdout=stdout,
                            stderr=subprocess.PIPE, env=environment(), **kwargs)


def replay(scene, *args, **kwargs):
    return run("--replay", recording(scene), *args, **kwargs)
