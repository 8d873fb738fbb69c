"""The verbs of `scalepose`. A verb's signature and docstring are its command line and help; what it does lies in the
module it imports when it is called, so that help comes at once.

Exit status: 0 done, 1 some inputs failed (each named), 2 bad usage. A user's mistake ends in one line, never in a
traceback.
"""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from scalepose import __version__
from scalepose.errors import MissingExtra, ScaleposeError

# --key value and --key=value for any key of a recipe.
Overrides = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]
RuntimeName = Literal["auto", "onnx", "openvino", "torch", "torch-bf16", "torch-compiled", "torch-compiled-bf16"]
Profile = Literal["fast", "paper"]
Scales = Annotated[tuple[float, ...] | None, Parameter(consume_multiple=True, negative=())]
Flag = Annotated[bool, Parameter(negative=())]
Height = Annotated[float | None, Parameter(validator=Number(gt=0))]
Option = TypeVar("Option")
Repeated = Annotated[tuple[Option, ...], Parameter(negative=())]  # --key a --key b

# Whom `predict` reports. Precision is measured with everybody, but people looking at pictures take the rest for noise.
# In boxes somebody has seen people already.
LEAST_SCORE: dict[Profile, float] = {"fast": 0.25, "paper": 0.0}
LEAST_AFTER_SECOND_LOOK = 0.2  # which lowers scores, those of chance groups most
LEAST_IN_BOXES = 0.1

# Import name → the extra that brings it; whatever is imported beside these belongs to every installation.
_EXTRAS = {
    "torch": "torch",
    "safetensors": "torch",
    "lightning": "train",
    "pytorch_lightning": "train",
    "tensorboard": "train",
    "onnx": "export",
    "onnxscript": "export",
}

app = App(
    name="scalepose",
    help="Every person's keypoints in a picture, however small, crowded or blurred.",
    version=__version__,
    help_format="markdown",
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (by default this process's) and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        status = app(arguments)
        sys.stdout.flush()
        return status or 0
    except (ScaleposeError, CycloptsError) as error:
        print(f"scalepose: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        print(f"scalepose: {MissingExtra(package, _EXTRAS[package])}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing may be left for Python to flush when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # where no better message was found: a disk that is full, a file that vanished
        print(f"scalepose: {error}", file=sys.stderr)
        return 2


@app.command
def predict(
    sources: list[str],
    /,
    *,
    model: str = "default",
    out: Path | None = None,
    json: Path | None = None,
    csv: Path | None = None,
    draw: bool | None = None,
    runtime: RuntimeName = "auto",
    profile: Profile = "fast",
    score: float | None = None,
    keypoint_score: float = 0.0,
    flip: bool | None = None,
    scales: Scales = None,
    batch: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    boxes: Path | None = None,
    second_look: Flag = False,
    second_look_below: Height = None,
    reader: str | None = None,
) -> int:
    """Find the people in pictures.

    Writes a COCO results list, a table of keypoints and drawn pictures. A picture that cannot be used is named, the
    others are done, and the exit status is 1.

    Parameters
    ----------
    sources:
        Picture files, folders (with all below them) and patterns such as "photos/*.jpg".
    model:
        A name that `scalepose models` lists, or a .onnx or .safetensors file.
    out:
        Folder for everything: people.json, people.csv and the drawn pictures. By default "out", unless --json or --csv
        asks for one thing.
    json:
        File for the COCO results list. The image_id of "000000000785.jpg" is 785, that of "beach.jpg" is "beach".
    csv:
        File for the table, a row a keypoint.
    draw:
        Draw the people into copies of the pictures.
    runtime:
        What runs the network. auto: the fastest that is installed and reads the model.
    profile:
        fast: what most people want. paper: the published protocol to the digit, many times slower.
    score:
        Leave out people scored below this, 0 to 1. By default 0.25 with fast, or 0.2 after a second look; 0.1 with
        --boxes, 0 with paper.
    keypoint_score:
        Leave out keypoints scored below this, 0 to 1, and people of whom none is left.
    flip:
        Average with the mirrored picture: better and twice as slow. By default as the profile has it; with --boxes, no.
    scales:
        Look at the picture at several sizes, the model's own (1) among them: --scales 0.5 1 2. Slower.
    batch:
        So many pictures of one shape go through the network together. For GPUs; on a CPU it gains nothing.
    boxes:
        Only look at the people in these boxes, one by one, with a model that reads crops. A COCO json of annotations or
        of detections, or what an earlier run wrote with --json. Pictures are told by file name or id.
    second_look:
        Look closely at every person found and read them again: much better, and slower with every person.
    second_look_below:
        Read only people again who are less high than so many pixels of the picture.
    reader:
        A model for crops for the second look: a name, or a .onnx or .safetensors file. By default the model itself.
    """
    _check_second_look(second_look, second_look_below, reader, boxes is not None)
    if boxes is not None:
        if scales is not None or profile == "paper" or batch > 1:
            raise ScaleposeError(
                "--boxes reads crops of people; --scales, --batch and --profile paper are for whole pictures"
            )
        from scalepose.apps.predict_boxes import predict_boxes_command
        from scalepose.crops import CropPredictor

        predictor = CropPredictor(model, runtime=runtime, flip=bool(flip))
        least = score if score is not None else LEAST_IN_BOXES
        return predict_boxes_command(sources, boxes, predictor, out, json, csv, draw, least, keypoint_score)
    from scalepose.apps.predict import predict_command
    from scalepose.predictor import Predictor

    predictor = Predictor(model, runtime=runtime, profile=profile, flip=flip, scales=scales)
    if second_look:
        from scalepose.crops import CropPredictor
        from scalepose.secondlook import SecondLook

        again = None if reader is None else CropPredictor(reader, runtime, predictor.flip)
        predictor = SecondLook(predictor, again, second_look_below)
    usual = min(LEAST_SCORE[profile], LEAST_AFTER_SECOND_LOOK) if second_look else LEAST_SCORE[profile]
    least = score if score is not None else usual
    return predict_command(sources, predictor, out, json, csv, draw, least, keypoint_score, batch)


@app.command
def evaluate(
    *,
    annotations: Path,
    images: Path | None = None,
    model: str = "default",
    protocol: Literal["coco", "crowdpose"] = "coco",
    profile: Profile = "fast",
    runtime: RuntimeName = "auto",
    flip: bool | None = None,
    scales: Scales = None,
    json: Path | None = None,
    results: Path | None = None,
    per_image: Path | None = None,
    skeleton: Path | None = None,
    boxes: str | None = None,
    low_res: str | None = None,
    finder: str = "default",
    second_look: Flag = False,
    second_look_below: Height = None,
    reader: str | None = None,
) -> int:
    """Measure a model on annotated pictures: average precision, overall and by person height.

    Parameters
    ----------
    annotations:
        A COCO-style json file.
    images:
        Folder of its pictures. By default "images" beside the json, or the folder of the json.
    model:
        A name that `scalepose models` lists, or a .onnx or .safetensors file.
    protocol:
        Whose rules: coco (AP, APM, APL, …) or crowdpose (AP easy, medium, hard).
    profile:
        fast: what most people want. paper: the published protocol to the digit, many times slower.
    runtime:
        What runs the network. auto: the fastest that is installed and reads the model.
    flip:
        Average with the mirrored picture. By default as the profile has it; with --boxes, yes.
    scales:
        Look at every picture at several sizes: the published multi-scale test is --scales 0.5 1 2.
    json:
        File for the receipt: figures, command, model, machine.
    results:
        Measure this COCO results list instead of predicting.
    per_image:
        File for what was found in each picture, by default beside the receipt; an evaluation that was stopped goes on
        from there.
    skeleton:
        A yaml file with the keypoints, for a json that does not describe them.
    boxes:
        Measure a model that reads crops of single people. Where the people are: "annotations" (in the boxes that
        somebody drew), "people" (where a bottom-up model finds them), or a file as for `predict --boxes`.
    low_res:
        With --boxes: bring every crop down to HEIGHTxWIDTH pixels first, such as 64x48; also worse:
        64x48,blur=0.5,noise=4,jpeg=60.
    finder:
        The bottom-up model for --boxes people.
    second_look, second_look_below, reader:
        As for `predict`.
    """
    _check_second_look(second_look, second_look_below, reader, boxes is not None or results is not None)
    if finder != "default" and boxes != "people":
        raise ScaleposeError("--finder finds the people whose crops are read; add --boxes people")
    if boxes is not None:
        if results is not None or scales is not None or profile == "paper":
            raise ScaleposeError(
                "--boxes reads crops of people; --results, --scales and --profile paper are for pictures"
            )
        from scalepose.evaluation.crops import evaluate_crops_command

        return evaluate_crops_command(
            annotations,
            boxes,
            images,
            model=model,
            protocol=protocol,
            runtime=runtime,
            flip=flip,
            low_res=low_res,
            finder=finder,
            json=json,
            per_image=per_image,
            skeleton=skeleton,
        )
    if low_res is not None:
        raise ScaleposeError("--low-res brings crops of people down; say where the people are, with --boxes")
    from scalepose.evaluation.evaluate import evaluate_command

    return evaluate_command(
        annotations,
        images,
        model=model,
        protocol=protocol,
        profile=profile,
        runtime=runtime,
        flip=flip,
        scales=scales,
        json=json,
        results=results,
        per_image=per_image,
        skeleton=skeleton,
        second_look=second_look,
        second_look_below=second_look_below,
        reader=reader,
    )


@app.command
def train(
    recipe: Path,
    /,
    *overrides: Overrides,
    out: Path | None = None,
    resume: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Train a network as a recipe says.

    Every key of the recipe can be given another value: --schedule.epochs 20 --optimiser.lr=2e-4.

    Parameters
    ----------
    recipe:
        A yaml file such as those in the folder "recipes".
    out:
        Folder of the run: recipe, log, checkpoints. By default below "runs".
    resume:
        Go on where an earlier run in that folder was stopped.
    """
    values = _overrides(overrides)  # before the import, which takes seconds
    from scalepose.training import train

    finished = train(recipe, values, resume=resume, out=out)
    return 0 if finished else 1


@app.command
def preview(recipe: Path, /, *overrides: Overrides, count: int = 12, out: Path = Path("preview.png")) -> int:
    """Draw the first training pictures of a recipe, with what the network is told about them.

    Every key of the recipe can be given another value, as for `train`.

    Parameters
    ----------
    recipe:
        A yaml file such as those in the folder "recipes".
    count:
        How many pictures.
    out:
        The PNG file to write.
    """
    from scalepose.apps.preview import preview_command

    return preview_command(recipe, _overrides(overrides), count, out)


@app.command
def export(
    model: str,
    /,
    *,
    to: Literal["onnx", "openvino"] = "onnx",
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    calibrate: Path | None = None,
    out: Path,
) -> int:
    """Write a model as a file that runs without torch, compared with torch before it is kept.

    Parameters
    ----------
    model:
        A .safetensors file, or a name that `scalepose models` lists with weights.
    to:
        The format: any batch, any picture size. onnx is read by ONNX Runtime and OpenVINO; openvino is an .xml file
        with a .bin file beside it.
    precision:
        fp16 halves the file; it runs as fast as fp32. int8 quarters it and is faster, a little less exact.
    calibrate:
        Folder of pictures like those that the model will see, on which int8 is adjusted; 64 are enough. By default
        rendered scenes.
    out:
        The file to write.
    """
    from scalepose.apps.export import export_command

    return export_command(model, to, precision, calibrate, out)


@app.command(name="import")
def import_(checkpoint: Path, /, *, model: str, out: Path) -> int:
    """Convert a published checkpoint (.pth) to a .safetensors file that every verb takes.

    Only tensors are read; a file that carries code is refused.

    Parameters
    ----------
    checkpoint:
        A checkpoint of the official HigherHRNet, HRNet, DARK, UDP, SimpleBaseline or CAL code, or of mmpose.
    model:
        Which network it holds: a name that `scalepose models` lists.
    out:
        The .safetensors file to write.
    """
    from scalepose.models import CROP_MODELS, import_official

    print(import_official(checkpoint, model, out))
    boxes = " --boxes FILE" if model in CROP_MODELS else ""
    print(f"{out}: ready for: scalepose predict PICTURES{boxes} --model {out}")
    return 0


@app.command
def models(name: str | None = None, /) -> int:
    """List the networks that are known by name, or print all about one.

    Parameters
    ----------
    name:
        Print the card of this model: what it is made of, how its weights came to be, what they reach.
    """
    from scalepose.apps.catalogue import card_text, table
    from scalepose.models.cropcards import find_model

    print(table() if name is None else card_text(find_model(name)))
    return 0


@app.command
def benchmark(
    *overrides: Overrides,
    model: Repeated[str] = ("default",),
    runtime: Repeated[RuntimeName] = (),
    images: Path | None = None,
    training: Path | None = None,
    json: Path | None = None,
    plot: Path | None = None,
    quick: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Measure how fast models run here: every part of a picture's way, latency against people, memory.

    Everything is measured in turn, many times, and medians are given: this takes minutes. With --training, a training
    step is measured instead, and any key of the recipe can be given another value, as for `train`.

    Parameters
    ----------
    model:
        A name that `scalepose models` lists, or a .onnx or .safetensors file. Repeat it to compare models.
    runtime:
        What runs the networks; repeat it to compare. By default every runtime that is installed and takes the file.
    images:
        Folder of pictures to measure on. By default some are rendered.
    training:
        A recipe for whole pictures: measure loading, forward, losses, backward and optimiser of its training step.
    json:
        File for the receipt: figures, command, commit, versions, machine.
    plot:
        A .png file for a plot of the time against the number of people.
    quick:
        Fewer pictures, people and rounds: to see that it works, not to quote.
    """
    values = _overrides(overrides)
    if training is not None:
        from scalepose.training.step_times import step_times_command

        return step_times_command(training, values, json, quick)
    if values:
        raise ScaleposeError(f"there is no option --{next(iter(values))}; keys of a recipe need --training RECIPE")
    from scalepose.evaluation.benchmark.command import benchmark_command

    return benchmark_command(model, runtime, images, json, plot, quick)


@app.command
def doctor() -> int:
    """Look over this installation: what is there, what is missing, whether the default model runs."""
    from scalepose.apps.doctor import examine

    status = 0
    for finding in examine():
        print(finding, flush=True)
        if finding.status == "fail":
            status = 1
    return status


@app.command
def check(
    annotations: Path, /, *, images: Path | None = None, skeleton: Path | None = None, pictures: bool = True
) -> int:
    """Look over a data set: name every record that cannot be used, with file, id and reason.

    Parameters
    ----------
    annotations:
        A COCO-style json file.
    images:
        Folder of its pictures. By default "images" beside the json, or the folder of the json.
    skeleton:
        A yaml file with the keypoints, for a json that does not describe them.
    pictures:
        Open every picture too.
    """
    from scalepose.data.annotations import check_pictures, read_annotations
    from scalepose.skeletons import Skeleton

    found = read_annotations(annotations, images, Skeleton.load(skeleton) if skeleton else None)
    problems = [*found.problems, *(check_pictures(found) if pictures else ())]
    for problem in problems:
        print(problem)
    print(found)
    print(f"{len(problems)} problems" if problems else "no problems")
    return 1 if problems else 0


@app.command
def synth(
    *,
    out: Path,
    count: int | None = None,
    seed: int | None = None,
    size: tuple[int, int] | None = None,
    people: int | None = None,
    backgrounds: Path | None = None,
    scale_benchmark: Flag = False,
    workers: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
) -> int:
    """Render pictures of people with exact annotations: a data set from nothing but a seed.

    Parameters
    ----------
    out:
        Folder for the pictures and their COCO-style json; one that was begun is completed.
    count:
        How many pictures.
    seed:
        Another seed, other pictures. By default 0.
    size:
        Width and height in pixels. By default 640 480.
    people:
        How many in every picture. By default as many as photos show.
    backgrounds:
        A folder of photos to stand behind the people, instead of drawn places.
    scale_benchmark:
        Instead of all these: the 200 fixed scenes of the scale benchmark, people from 16 to 512 pixels tall, alone and
        in crowds. `scalepose evaluate` measures a model on them by height and by crowd.
    workers:
        How many processes render. By default one a core.
    """
    from scalepose.apps.synth import benchmark_command, synth_command

    if scale_benchmark:
        if (count, seed, size, people, backgrounds) != (None,) * 5:
            raise ScaleposeError("--scale-benchmark is always the same; it takes --out and --workers only")
        return benchmark_command(out, workers)
    if count is None:
        raise ScaleposeError("say how many pictures: --count N, or ask for --scale-benchmark")
    return synth_command(count, out, seed or 0, size or (640, 480), people, backgrounds, workers)


def _check_second_look(second_look: bool, below: float | None, reader: str | None, nothing_found: bool) -> None:
    """Raise ScaleposeError for options that go together with a second look, or do not."""
    if second_look and nothing_found:
        raise ScaleposeError("--second-look reads people again whom a model has found; leave out --boxes and --results")
    if not second_look and (below is not None or reader is not None):
        raise ScaleposeError("--second-look-below and --reader say how to look again; add --second-look")


def _overrides(tokens: Sequence[str]) -> dict[str, str]:
    """--key value and --key=value → {key: value}."""
    values: dict[str, str] = {}
    rest = iter(tokens)
    for token in rest:
        key, equals, value = token.removeprefix("--").partition("=")
        if not token.startswith("--") or not key:
            raise ScaleposeError(f"{token!r} belongs to no key; recipes are overridden by --key value")
        if not equals and (value := next(rest, None)) is None:
            raise ScaleposeError(f"--{key} needs a value")
        if key in values:
            raise ScaleposeError(f"--{key} is given twice")
        values[key] = value
    return values
