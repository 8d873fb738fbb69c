"""Where a figure comes from: the command, the commit, versions, hardware, and the hash of a file."""

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import scalepose

_PACKAGES = ("numpy", "scipy", "opencv-python-headless", "onnxruntime", "openvino", "torch")


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def command() -> str:
    """How this program was called."""
    name, *arguments = sys.argv or [""]
    return shlex.join([Path(name).name, *arguments])


def commit() -> str | None:
    """The commit of the tree that scalepose runs from, "+changes" if it was edited since; None when installed."""
    home = Path(scalepose.__file__).parent

    def git(*arguments: str) -> str:
        run = subprocess.run(
            ["git", "-C", str(home), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
        return run.stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):
            return None  # installed somewhere inside a tree of something else
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def versions() -> dict[str, str]:
    """Of Python, scalepose and the packages that figures may depend on, as far as they are installed."""
    found = {"python": platform.python_version(), "scalepose": scalepose.__version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores that may be used, platform, and the GPU if torch is loaded and sees one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
    return {"processor": _processor(), "cores": cores, "platform": platform.platform(), "gpu": gpu}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
