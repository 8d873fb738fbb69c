"""What the machine is, and its ceiling: how fast it multiplies matrices, which is what a network mostly does."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scalepose.evaluation.benchmark.timing import Work
from scalepose.evaluation.provenance import hardware
from scalepose.models.zoo import ModelCard
from scalepose.runtimes.runtime import cores

SIDE = 1024  # of the matrices: large enough to fill the caches' hierarchy, small enough for many repetitions
PRODUCT_FLOP = 2 * SIDE**3

# What decides how fast networks run on an x86 or Arm processor, by the names of Linux.
_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX512-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
}


def describe_machine() -> dict[str, Any]:
    """`provenance.hardware` with the processor's instructions, threads used, memory, and how busy the machine was."""
    plain: dict[str, Any] = hardware()
    plain["instructions"] = _instructions()
    plain["threads"] = cores()
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        plain["memory_gib"] = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    if hasattr(os, "getloadavg"):
        plain["load_before"] = round(os.getloadavg()[0], 2)  # processes that wanted to run in the last minute
    return plain


def matrix_product_work() -> Work:
    """One product of two `SIDE`×`SIDE` float32 matrices by NumPy's BLAS, on as many threads as that takes."""
    a, b = np.random.default_rng(0).standard_normal((2, SIDE, SIDE), np.float32)
    product = np.empty_like(a)

    def work() -> None:
        np.matmul(a, b, out=product)

    return work


def multiply_adds(card: ModelCard, size: int) -> int | None:
    """Multiply-adds of a card's network on size×size pixels; None where torch, which builds it, is not installed."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    from scalepose.models.bottomup import build, macs

    with torch.device("meta"):  # shapes are enough
        return macs(build(card), size)


def peak_mebibytes() -> float | None:
    """The most memory that this process has held at once; None where the system does not say."""
    try:  # not getrusage: a child begins with its parent's peak there
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None


def _instructions() -> list[str]:
    flags: Mapping[str, None] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                flags = dict.fromkeys(line.partition(":")[2].split())
                break
    except OSError:
        pass  # not Linux
    return [name for flag, name in _INSTRUCTIONS.items() if flag in flags]
