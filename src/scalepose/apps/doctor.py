"""What is installed, what is missing and how to get it, and whether the default model runs on this machine.

What is needed is read from scalepose's own metadata. Versions are read without importing anything: a release known to
be harmful is named, not run.
"""

import importlib
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

import numpy as np

import scalepose
from scalepose.errors import ScaleposeError

_EXTRAS = {  # extra → what it is for; the developers' tools are not looked at
    "torch": "to run .safetensors files and import published weights",
    "train": "to train",
    "export": "to export to ONNX",
    "openvino": "to run models on OpenVINO",
}
_MODULES = {"opencv-python-headless": "cv2", "pyyaml": "yaml"}  # where the module has another name than the package
_KNOWN_BAD = {  # module → (versions, why, what to do)
    "lightning": (
        r"2\.6\.[23]",
        "is a malicious release",
        "uninstall it and change all passwords and keys on this machine",
    ),
    "pytorch_lightning": (
        r"2\.6\.[23]",
        "is a malicious release",
        "uninstall it and change all passwords and keys here",
    ),
    "cv2": (r"4\.13\..*", "leaks threads and warps wrongly on some processors", "install another version"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the examination. status: "off" is something optional that is not there."""

    status: Literal["ok", "off", "warn", "fail"]
    text: str

    def __str__(self) -> str:
        return f"{self.status:<5}{self.text}"


def examine() -> Iterator[Finding]:
    """Every finding, as soon as it is known."""
    yield Finding("ok", f"scalepose {scalepose.__version__}, Python {platform.python_version()} ({sys.executable})")
    yield _machine()
    installed = metadata.packages_distributions()
    needed = _needed()
    bad = [finding for module in _KNOWN_BAD if (finding := _known_bad(module, installed.get(module, ())))]
    yield from bad
    for module in needed.pop(""):
        yield _core(module, installed.get(module, ()))
    for extra, purpose in _EXTRAS.items():
        yield _optional(extra, purpose, needed.get(extra, []), installed)
    if "onnxruntime" in installed:
        yield _onnx_providers()
    if "torch" in installed:
        yield _torch_devices()
    yield _default_model()


def _machine() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = f"{platform.system()} on {platform.machine()}, {cores} cores"
    if threads := os.environ.get("OMP_NUM_THREADS"):
        text += f" (OMP_NUM_THREADS={threads})"
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        text += f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB of memory"
    return Finding("ok", text)


def _needed() -> dict[str, list[str]]:
    """Modules by extra, "" for the core."""
    modules: dict[str, list[str]] = {"": []}
    for requirement in metadata.requires("scalepose") or []:
        package = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", requirement)
        if package != "scalepose":
            module = _MODULES.get(package, package.replace("-", "_"))
            modules.setdefault(extra[1] if extra else "", []).append(module)
    return modules


def _versions(packages: Sequence[str]) -> str:
    return " and ".join(f"{package} {metadata.version(package)}" for package in sorted(set(packages)))


def _known_bad(module: str, packages: Sequence[str]) -> Finding | None:
    versions, why, remedy = _KNOWN_BAD[module]
    bad = [package for package in packages if re.fullmatch(versions, metadata.version(package))]
    return Finding("fail", f"{_versions(bad)} {why}: {remedy}") if bad else None


def _core(module: str, packages: Sequence[str]) -> Finding:
    if not packages:
        return Finding("fail", f"{module} is missing; run: pip install --force-reinstall scalepose")
    if len(set(packages)) > 1:
        return Finding("warn", f"{_versions(packages)} both bring {module} and overwrite each other: uninstall one")
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        again = f"pip install --force-reinstall {packages[0]}"
        return Finding("fail", f"{_versions(packages)} cannot be loaded ({error}); run: {again}")
    return Finding("ok", _versions(packages))


def _optional(extra: str, purpose: str, modules: Sequence[str], installed: Mapping[str, list[str]]) -> Finding:
    there = [_versions(installed[module]) for module in modules if module in installed]
    missing = [module for module in modules if module not in installed]
    if not missing:
        return Finding("ok", f"[{extra}] {', '.join(there)}")
    return Finding("off", f"[{extra}] {purpose}: {', '.join(missing)} missing; run: pip install 'scalepose[{extra}]'")


def _onnx_providers() -> Finding:
    try:
        import onnxruntime
    except (ImportError, OSError) as error:
        return Finding("fail", f"onnxruntime cannot be loaded ({error})")
    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    return Finding("ok", f"ONNX Runtime runs on: {', '.join(providers)}")


def _torch_devices() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("warn", f"torch cannot be loaded ({error}); run: pip install --force-reinstall torch")
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    devices += ["Apple GPU"] if torch.backends.mps.is_available() else []
    return Finding("ok", f"torch runs on: {', '.join([*devices, f'CPU with {torch.get_num_threads()} threads'])}")


def _default_model() -> Finding:
    """Whether the default model runs, and how fast on a picture of 640×480 pixels."""
    grey = np.full((480, 640, 3), 128, np.uint8)
    try:
        from scalepose.predictor import Predictor

        predictor = Predictor()
        predictor(grey)  # the first run also plans memory
        times = []
        for _ in range(3):
            start = time.perf_counter()
            predictor(grey)
            times.append(time.perf_counter() - start)
    except (ScaleposeError, ImportError, OSError) as error:
        return Finding("fail", f"the default model does not run: {error}")
    speed = f"{1000 * statistics.median(times):.0f} ms for an empty picture of 640×480"
    return Finding("ok", f"the default model {predictor.card.name} runs on {predictor.runtime.name}: {speed}")
