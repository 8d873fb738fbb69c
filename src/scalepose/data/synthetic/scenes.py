"""Who is in a picture: people, where they stand, before which camera, in which place, behind which things.

How many, how large, where, how turned and in which postures follows real photos (`layouts.py`); ages, builds, clothes,
lenses, places and light are drawn. Everything follows from one seed. It draws nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scalepose.data.synthetic.bodies import turn_y
from scalepose.data.synthetic.cameras import Camera
from scalepose.data.synthetic.figures import Figure, sample_figure
from scalepose.data.synthetic.layouts import Layout, sample_layout
from scalepose.data.synthetic.meshes import Mesh
from scalepose.data.synthetic.places import Place, sample_place
from scalepose.data.synthetic.postures import sample_posture
from scalepose.data.synthetic.props import sample_obstacle, sample_seat
from scalepose.errors import ScaleposeError

MOST_PEOPLE = 20
SMALLEST, LARGEST = 32, 4096  # pixels on a side of a picture
INVENTED = 0.15  # of all people are in a posture drawn from its kinds instead of a photo's
TALL = 1.66  # metres: how tall the people of layouts are taken to be
CLOSEST = 0.4  # metres between the camera and the nearest part of somebody

# Pixels of height above which a figure gets its levels of detail, finest first.
_CLOSE = -np.array([450.0, 200, 80])

Seed = int | Sequence[int]
Photo = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True, repr=False, eq=False)
class Thing:
    """A surface in the world frame with its own atlas. caster: points (v, 3) and triangles (T, 3) that throw its
    shadow."""

    mesh: Mesh
    tiles: np.ndarray
    caster: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, repr=False, eq=False)
class Scene:
    """Everything that a picture shows. figures: P people in their body frames; turns, spots: how each is turned and
    shifted into the world frame, (3, 3) and (3,). things: all surfaces in the world frame, people first.
    lens: seed of what the camera adds.
    """

    camera: Camera
    place: Place
    figures: tuple[Figure, ...]
    turns: tuple[np.ndarray, ...]
    spots: tuple[np.ndarray, ...]
    things: tuple[Thing, ...]
    lens: int

    def __repr__(self) -> str:
        W, H = self.camera.size
        return f"Scene({W}×{H}, P={len(self.figures)}, {self.place.kind})"

    def keypoints(self, person: int) -> np.ndarray:
        """(17, 3) metres in the world frame, COCO's order."""
        return self.figures[person].keypoints @ self.turns[person].T + self.spots[person]

    @classmethod
    def sample(
        cls, seed: Seed, width: int = 640, height: int = 480, people: int | None = None, photo: Photo | None = None
    ) -> "Scene":
        """Draw a scene for a picture of width × height pixels, with `people` in it (None: as photos have).

        photo: gives a picture to stand behind the people instead of a drawn place. Raises ScaleposeError for a size or
        a number of people that cannot be drawn.
        """
        rng = start(seed, width, height)
        if people is not None and not 0 <= people <= MOST_PEOPLE:
            raise ScaleposeError(f"a scene holds 0 to {MOST_PEOPLE} people, not {people}")
        layout = sample_layout(rng, people)
        postures = [sample_posture(rng) if rng.random() < INVENTED else person.posture for person in layout.people]
        placed = tuple(replace(p, posture=posture) for p, posture in zip(layout.people, postures, strict=True))
        obstacles = int(rng.choice([0, 1, 2], p=[0.6, 0.27, 0.13]))
        return arrange(rng, Layout(placed, layout.pitch), width, height, obstacles, photo)


def start(seed: Seed, width: int, height: int) -> np.random.Generator:
    """The generator that belongs to a seed. Raises ScaleposeError when there is none, or no picture of that size."""
    for what, side in (("width", width), ("height", height)):
        if not SMALLEST <= side <= LARGEST:
            raise ScaleposeError(f"a picture's {what} must be {SMALLEST} to {LARGEST} pixels, not {side}")
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ScaleposeError(f"a seed is a number from 0 on, or several; got {seed!r}") from error


def arrange(
    rng: np.random.Generator, layout: Layout, width: int, height: int, obstacles: int = 0, photo: Photo | None = None
) -> Scene:
    """A scene in which people stand as a layout says, as far as one flat ground allows, and `obstacles` besides."""
    figures = tuple(sample_figure(rng, placed.posture) for placed in layout.people)
    focal = width / 2 / np.tan(np.radians(rng.uniform(30, 66) / 2))
    # The distance at which somebody of this height looks as tall as the one in the photo, who is taken for 1.66 m.
    turns = tuple(turn_y(placed.yaw) for placed in layout.people)
    depths = np.array([
        max(
            focal / (placed.size * height) * figure.stance.body.height / TALL,
            CLOSEST + float(((figure.outline - figure.pelvis) @ turn.T)[:, 2].max()),
        )
        for placed, figure, turn in zip(layout.people, figures, turns, strict=True)
    ])  # fmt: skip
    camera = _camera(rng, (width, height), float(focal), layout, figures, depths)
    spots = _spots(camera, layout, figures, depths)
    things = []
    for figure, turn, spot, depth in zip(figures, turns, spots, depths, strict=True):
        tall = figure.stance.body.height * focal / depth
        mesh, tiles = figure.surface(int(np.searchsorted(_CLOSE, -tall)))
        points, triangles = figure.silhouette
        things.append(Thing(mesh.moved(turn, spot), tiles, (points @ turn.T + spot, triangles)))
    solids = []
    for figure, turn, spot in zip(figures, turns, spots, strict=True):
        if figure.seat is not None and figure.seat > 0.15:
            seat, tiles = sample_seat(rng, figure.seat, figure.pelvis)
            solids.append(_solid(seat.moved(turn, spot), tiles))
    solids += [_obstacle(rng, camera, spots) for _ in range(obstacles)]
    # The camera stands in nothing.
    things += [thing for thing in solids if camera.project(thing.mesh.points)[1].min() > CLOSEST]
    reach = float(np.abs(spots[:, 0]).max(initial=0.5))
    tops = max((figure.top for figure in figures), default=2.0)
    headroom = max(tops + 0.2, camera.height + 0.3)
    behind = float(-spots[:, 2].min(initial=-3.0)) + 0.8
    place = sample_place(rng, behind, reach, headroom, photo(rng) if photo else None)
    return Scene(camera, place, figures, turns, tuple(spots), tuple(things), int(rng.integers(2**31)))


def _camera(
    rng: np.random.Generator,
    size: tuple[int, int],
    focal: float,
    layout: Layout,
    figures: Sequence[Figure],
    depths: np.ndarray,
) -> Camera:
    """As high above the ground as makes most people stand where they stood in the photo."""
    H = size[1]
    pitch = float(np.clip(layout.pitch + rng.normal() * 1.5, -12, 32))
    roll = float(rng.normal() * 1.5) + float(rng.uniform(-9, 9)) * (rng.random() < 0.15)
    level = Camera(size, focal, 0.0, pitch, 0.0)
    heights = []
    for placed, figure, depth in zip(layout.people, figures, depths, strict=True):
        # The pelvis lies on the ray through its pixel, at that depth.
        down = (placed.place[1] - 0.5) * H / focal
        ray = level.turn.T @ np.array([0, -down, -1.0])
        heights.append(float(figure.pelvis[1] - ray[1] * depth))
    # Who is near decides: there an error of height shows most.
    middle = _weighted_median(np.array(heights), 1 / depths) if heights else float(rng.uniform(1.2, 1.8))
    return Camera(size, focal, float(np.clip(middle, 0.25, 6.0)), pitch, roll)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())])


def _spots(camera: Camera, layout: Layout, figures: Sequence[Figure], depths: np.ndarray) -> np.ndarray:
    """(P, 3): where on the ground everybody stands, moved back a little from inside of each other."""
    W, _ = camera.size
    c, s = np.cos(np.radians(camera.pitch)), np.sin(np.radians(camera.pitch))
    spots: list[np.ndarray] = []
    for placed, figure, depth in zip(layout.people, figures, depths, strict=True):
        across = (placed.place[0] - 0.5) * W / camera.focal
        # Where the pelvis is as far along the optical axis, at its own height above the ground.
        away = max((depth - (camera.height - figure.pelvis[1]) * s) / c, CLOSEST)
        spot = np.array([across * depth, 0.0, -away])
        for _ in range(12):
            if all(np.hypot(*(spot - other)[[0, 2]]) > 0.3 for other in spots):
                break
            spot *= 1.06
        spots.append(spot)
    return np.array(spots).reshape(-1, 3)


def _obstacle(rng: np.random.Generator, camera: Camera, spots: np.ndarray) -> Thing:
    mesh, tiles = sample_obstacle(rng)
    z = -float(rng.uniform(2.2, max(3.0, float(-spots[:, 2].min(initial=-6.0)) + 1)))
    x = 0.0
    for _ in range(20):
        x = float(rng.uniform(-1, 1)) * camera.size[0] / 2 / camera.focal * -z
        if all(np.hypot(x - s[0], z - s[2]) > 0.8 for s in spots):
            break
    return _solid(mesh.moved(turn_y(float(rng.uniform(0, 360))), np.array([x, 0.0, z])), tiles)


def _solid(mesh: Mesh, tiles: np.ndarray) -> Thing:
    return Thing(mesh, tiles, (mesh.points, mesh.triangles))
