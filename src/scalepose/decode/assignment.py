"""`linear_sum_assignment` of SciPy without the rest of `scipy.optimize`, whose import takes half of a cold start."""

import importlib.util
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType


def _load_solver() -> ModuleType | None:
    """SciPy's compiled solver, which needs nothing but NumPy; None where it does not lie where it always has."""
    package = importlib.util.find_spec("scipy")
    folders = (package and package.submodule_search_locations) or ()
    for file in (Path(folder, "optimize", f"_lsap{suffix}") for folder in folders for suffix in EXTENSION_SUFFIXES):
        spec = importlib.util.spec_from_file_location("_lsap", file) if file.is_file() else None
        if spec is not None and spec.loader is not None:
            try:
                solver = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(solver)
            except ImportError:
                return None
            return solver
    return None


_solver = _load_solver()
if _solver is not None and hasattr(_solver, "linear_sum_assignment"):
    linear_sum_assignment = _solver.linear_sum_assignment
else:
    from scipy.optimize import linear_sum_assignment

__all__ = ["linear_sum_assignment"]
