"""`scalepose export`: a model, a format, a precision, and the pictures on which eight bits are adjusted."""

from pathlib import Path
from typing import Literal

from scalepose.apps.sources import find_pictures
from scalepose.errors import ScaleposeError


def export_command(
    model: str,
    to: Literal["onnx", "openvino"],
    precision: Literal["fp32", "fp16", "int8"],
    calibrate: Path | None,
    out: Path,
) -> int:
    """What `scalepose export` does; the signature of the verb explains the arguments."""
    pictures: tuple[Path, ...] = ()
    if calibrate is not None:
        if precision != "int8":
            raise ScaleposeError(f"--calibrate is for --precision int8; {precision} needs no pictures")
        found = find_pictures([calibrate])
        if found.failures:
            raise ScaleposeError(str(found.failures[0]))
        pictures = found.pictures
    from scalepose.runtimes import export_onnx, export_openvino  # first, for it says which extra is missing

    # isort: split
    from scalepose.models import load_model

    print((export_onnx if to == "onnx" else export_openvino)(load_model(model), out, precision, pictures))
    return 0
