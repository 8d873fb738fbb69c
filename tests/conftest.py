"""Fixtures of the whole suite."""

import os
from pathlib import Path

# Several test processes share two cores: one thread each, or eager torch collapses.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with official outputs and real photos; tests that need it skip on machines without."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the shared reference data is not on this machine")
    return folder
