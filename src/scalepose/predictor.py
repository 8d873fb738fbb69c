"""The Python API: a picture goes through a `View` into a `Runtime`, its maps through `decode`, and people come out.

Knows the order of these steps and nothing of what happens inside of them. HigherHRNet, section 4.1 (test procedure).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from scalepose.data.cutting import Cutout
from scalepose.data.images import check_image, read_image
from scalepose.decode import Profile, group
from scalepose.decode.averaging import Average
from scalepose.errors import ScaleposeError
from scalepose.flow import Staged, Stages, flow
from scalepose.geometry import Size, View
from scalepose.models.normalise import normalise
from scalepose.models.zoo import ModelCard
from scalepose.poses import Poses
from scalepose.runtimes import Runtime, open_runtime
from scalepose.runtimes.ports import STRIDE

MAX_SCALE = 4  # times the network's own input size
MAX_ASPECT = 16  # of a picture in the paper profile, whose short side is fixed: beyond, it would take gigabytes
RUNNERS = 2  # threads that run the network at the same time, if it bears it; three were measured no faster
LONGEST = 4  # the long side of the network input in the fast profile, in short sides


class Predictor:
    """Finds the people in a picture: `Predictor()("photo.jpg")`.

    model: a name of the zoo, a .onnx or .safetensors file, or an open `Runtime` (then `runtime` says nothing).
    runtime: what runs the network, one of `scalepose.runtimes.RUNTIMES`.
    profile: "fast" is what most people want: EXIF orientation honoured, sub-pixel peaks, duplicates suppressed, junk
    keypoints left out. "paper" is the published test procedure to the digit: published resize, maps projected to input
    size, official parser with recovery of missing keypoints; EXIF ignored.
    flip: average with the mirrored picture; by default as the profile has it (paper: yes, fast: no).
    scales: look at the picture at several sizes, 1 being the network's own input size; several must contain 1.
    Raises ScaleposeError when there is no such model, runtime or profile, or the scales make no sense.
    """

    def __init__(
        self,
        model: str | Path | Runtime[ModelCard] = "default",
        runtime: str = "auto",
        profile: str = "fast",
        flip: bool | None = None,
        scales: Sequence[float] | None = None,
    ):
        if profile not in get_args(Profile):
            raise ScaleposeError(f"no profile is called {profile!r}; there are: {', '.join(get_args(Profile))}")
        self.profile: Profile = cast(Profile, profile)
        self.flip = profile == "paper" if flip is None else flip
        self.scales = _largest_first((1.0,) if scales is None else scales)
        self.runtime: Runtime[ModelCard] = open_runtime(model, runtime) if isinstance(model, (str, Path)) else model
        if not isinstance(self.runtime.card, ModelCard):
            raise ScaleposeError(
                f"{self.runtime.card.name} reads crops of single people, not pictures; name the people's boxes with it"
            )

    @property
    def card(self) -> ModelCard:
        """Which network it is, with its skeleton."""
        return self.runtime.card

    @property
    def name(self) -> str:
        """Which network runs on what, for people."""
        return f"{self.card.name} on {self.runtime.name}"

    def __repr__(self) -> str:
        settings = f"profile={self.profile!r}, flip={self.flip}, scales={self.scales}"
        return f"Predictor({self.card.name!r}, {settings}, {self.runtime.name})"

    @property
    def runners(self) -> int:
        """How many threads may be in `run` at the same time."""
        return RUNNERS if self.runtime.concurrent else 1

    def __call__(self, image: str | Path | np.ndarray) -> Poses:
        """The people in a picture file or an (H, W, 3) uint8 RGB array, best first, in pixels of the picture (of a file
        in the fast profile: turned as its EXIF orientation says).

        Raises ScaleposeError when the file cannot be read or the array is no picture.
        """
        return self.finish(self.run([self.prepare(image)])[0])

    def predict_many(self, images: Iterable[str | Path | np.ndarray], batch: int = 1) -> Iterator[Poses]:
        """The people in each of any number of pictures, in order; faster than calls one by one, since the next pictures
        are read while the network runs and the last ones are decoded. Only a few are held in memory.

        batch: so many pictures of one input size go through the network together where there are as many among the
        next few. That helps on a GPU, not on a CPU.
        Raises ScaleposeError, as a call does, when it is the turn of a picture that cannot be used.
        """
        with closing(flow(images, self.stages(), batch)) as all_poses:
            for poses in all_poses:
                yield poses.result()

    def stages(self) -> "Stages[str | Path | np.ndarray, Looks, Seen, Poses]":
        """A call in its three parts, for `flow`."""
        return Stages(self.prepare, self.run, self.finish, Looks.sizes, self.runners)

    def maps(self, image: str | Path | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, View]:
        """What is grouped: heatmaps (K, h, w), tags (K, h', w', T) and, if the network gives them, centre offsets
        (K, 2, h'', w''), float32, of all looks at the picture; and a view whose input they cover.
        """
        seen = self.run([self.prepare(image)])[0]
        return *seen.average.result(), seen.view

    def prepare(self, image: str | Path | np.ndarray) -> "Looks":
        """First part of a call: read the picture and bring it to network input."""
        if isinstance(image, (str, Path)):
            image = read_image(image, exif=self.profile == "fast")
        check_image(image)
        views, size = self._views((image.shape[1], image.shape[0]))
        return Looks([normalise(view.warp(image)) for view in views], views[-1], size)

    def prepare_part(self, picture: Cutout, part: View) -> "Looks":
        """In place of `prepare`, in the fast profile: only what `part`, a view of the picture, shows of it. The people
        found will be in pixels of the whole picture.
        """
        views, size = self._scaled(part)
        return Looks([normalise(picture.crop(view)) for view in views], views[-1], size)

    def run(self, pictures: Sequence["Looks"]) -> list["Seen"]:
        """Second part: run the network on pictures whose inputs are of the same sizes."""
        project, aggregate = self.profile == "paper", self.card.network.aggregate
        averages = [Average(self.card.skeleton, looks.size, project, aggregate) for looks in pictures]
        for scale, *inputs in zip(self.scales, *(looks.inputs for looks in pictures), strict=True):
            with_tags = scale == 1 or len(self.scales) == 1
            images = np.stack(inputs) if len(inputs) > 1 else inputs[0][None]  # (B, 3, H, W)
            for mirrored in (False, True) if self.flip else (False,):
                outputs = self.runtime(np.ascontiguousarray(images[..., ::-1]) if mirrored else images)
                for b, average in enumerate(averages):
                    average.add(outputs, mirrored, with_tags, picture=b)
        return [Seen(average, looks.view) for average, looks in zip(averages, pictures, strict=True)]

    def finish(self, seen: "Seen") -> Poses:
        """Third part: find the people in the maps."""
        heatmaps, tags, offsets = seen.average.result()
        points, values, scores = group(heatmaps, tags, self.card.skeleton, profile=self.profile, offsets=offsets)
        points = seen.view.to_image(points, map_size=heatmaps.shape[:0:-1])
        best_first = np.argsort(-scores, kind="stable")
        return Poses(points, values, scores, self.card.skeleton)[best_first]

    def _views(self, image_size: Size) -> tuple[list[View], Size]:
        """How each scale sees the picture, and the size of the heatmaps to make of them."""
        short = self.card.input_size
        if self.profile == "paper":
            w, h = image_size
            if max(w, h) > MAX_ASPECT * min(w, h):
                raise ScaleposeError(
                    f"a picture of {w}×{h} pixels is too long for the published resize, which never shrinks the short "
                    f"side below {short} pixels; use profile 'fast'"
                )
            smallest = min(self.scales)
            views = [View.paper(image_size, short, scale, smallest) for scale in self.scales]
            if any(side % STRIDE for view in views for side in view.input_size):
                raise ScaleposeError(
                    f"at scales {self.scales} the published resize gives sides that are no multiples of {STRIDE} "
                    "pixels; use the published 0.5, 1 and 2, or profile 'fast'"
                )
            return views, View.paper(image_size, short, 1.0, smallest).input_size
        own = self._own_scale()
        return self._scaled(View.fit(image_size, round(own * short), longest=round(own * LONGEST * short)))

    def _own_scale(self) -> float:
        """The scale on whose maps people are grouped."""
        return 1.0 if 1.0 in self.scales else self.scales[0]

    def _scaled(self, base: View) -> tuple[list[View], Size]:
        """What `base` shows at its own scale, at each scale, and the size of the heatmaps to make of it."""
        stride = 4 >> self.card.network.deconvs  # of the finest heatmaps
        width, height = base.input_size
        views = [base.resized(scale / self._own_scale()) for scale in self.scales]
        return views, (width // stride, height // stride)


@dataclass(frozen=True)
class Looks:
    """One picture as the network is to see it: (3, H, W) float32 for each scale, a view whose input the maps will cover
    and their size.
    """

    inputs: list[np.ndarray]
    view: View
    size: Size

    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Pictures of which this is equal may share a batch."""
        return tuple(look.shape for look in self.inputs)


@dataclass(frozen=True)
class Seen:
    """What the network said of one picture, and a view whose input the maps cover."""

    average: Average
    view: View


def picture_stages(
    find_people: Callable[[np.ndarray], Poses], read: Callable[[Any], np.ndarray]
) -> Stages[Any, Any, Any, tuple[np.ndarray, Poses]]:
    """For `flow`: whatever `read` reads, to a picture (H, W, 3) uint8 RGB and the people in it. A `Predictor` is taken
    apart; anything else is called as it is, by one thread, picture after picture.
    """
    if isinstance(find_people, Staged):
        stages = find_people.stages()
    else:
        stages = Stages[Any, Any, Any, Poses](
            lambda image: image, lambda images: [find_people(image) for image in images], lambda poses: poses
        )

    def prepare(item: Any) -> tuple[np.ndarray, Any]:
        image = read(item)
        return image, stages.prepare(image)

    def run(pictures: list[tuple[np.ndarray, Any]]) -> list[tuple[np.ndarray, Any]]:
        images, prepared = zip(*pictures, strict=True)
        return list(zip(images, stages.run(list(prepared)), strict=True))

    def finish(found: tuple[np.ndarray, Any]) -> tuple[np.ndarray, Poses]:
        image, seen = found
        return image, stages.finish(seen)

    return Stages(prepare, run, finish, lambda picture: stages.alike(picture[1]), stages.runners)


def _largest_first(scales: Sequence[float]) -> tuple[float, ...]:
    """The scales in order of use. Raises ScaleposeError when they make no sense."""
    order = tuple(sorted((float(scale) for scale in scales), reverse=True))
    if not order or len(set(order)) < len(order) or not all(math.isfinite(s) and 0 < s <= MAX_SCALE for s in order):
        raise ScaleposeError(f"scales must be different numbers above 0, up to {MAX_SCALE}; got {tuple(scales)}")
    if len(order) > 1 and 1 not in order:
        raise ScaleposeError(f"several scales must contain 1, where the tags are read; got {tuple(scales)}")
    return order
