"""What `scalepose.models` loads, and when."""

import subprocess
import sys

import pytest

import scalepose.models
from scalepose.errors import MissingExtra


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_zoo_loads_no_torch():
    code = "import sys; from scalepose.models import MODELS, ModelCard, Network, Outputs; print('torch' in sys.modules)"
    assert run(code).strip() == "False"


def test_a_missing_torch_names_the_install_command(monkeypatch):
    for module in [name for name in sys.modules if name.split(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    for module in ("bottomup", "construct", "hrnet", "initialise", "resnet", "topdown", "weights"):
        monkeypatch.delitem(sys.modules, f"scalepose.models.{module}", raising=False)
    with pytest.raises(MissingExtra, match=r"torch is not installed; run: pip install 'scalepose\[torch\]'"):
        scalepose.models.create("higherhrnet-w32-512")


def test_every_public_name_is_there():
    for name in scalepose.models.__all__:
        assert getattr(scalepose.models, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        scalepose.models.nothing  # noqa: B018
