"""Who is in a picture: people, where they stand, before which camera, in which place, behind which things.

Everything follows from one seed. It draws nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalepose.data.synthetic.bodies import turn_y
from scalepose.data.synthetic.cameras import Camera
from scalepose.data.synthetic.figures import Figure, sample_figure
from scalepose.data.synthetic.meshes import Mesh
from scalepose.data.synthetic.places import Place, sample_place
from scalepose.data.synthetic.props import sample_obstacle, sample_seat
from scalepose.errors import ScaleposeError

MOST_PEOPLE = 20
SMALLEST, LARGEST = 32, 4096  # pixels on a side of a picture

Seed = int | Sequence[int]


@dataclass(frozen=True, repr=False, eq=False)
class Thing:
    """A surface in the world frame with its own atlas."""

    mesh: Mesh
    tiles: np.ndarray


@dataclass(frozen=True, repr=False, eq=False)
class Scene:
    """Everything that a picture shows. figures: P people in their body frames; turns, spots: how each is turned and
    shifted into the world frame, (3, 3) and (3,). things: all surfaces in the world frame, people first.
    lens: seed of the noise and blur that the camera adds.
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
    def sample(cls, seed: Seed, width: int = 640, height: int = 480, people: int | None = None) -> "Scene":
        """Draw a scene for a picture of width × height pixels, with `people` in it (None: one to twelve).

        Raises ScaleposeError for a size or a number of people that cannot be drawn.
        """
        for what, side in (("width", width), ("height", height)):
            if not SMALLEST <= side <= LARGEST:
                raise ScaleposeError(f"a picture's {what} must be {SMALLEST} to {LARGEST} pixels, not {side}")
        if people is not None and not 0 <= people <= MOST_PEOPLE:
            raise ScaleposeError(f"a scene holds 0 to {MOST_PEOPLE} people, not {people}")
        try:
            rng = np.random.default_rng(seed)
        except (TypeError, ValueError) as error:
            raise ScaleposeError(f"a seed is a number from 0 on, or several; got {seed!r}") from error
        if people is None:
            people = int(rng.choice([1, 2, 3, 4, 5, 6, 8, 12], p=[0.2, 0.22, 0.2, 0.13, 0.09, 0.07, 0.05, 0.04]))
        figures = tuple(sample_figure(rng) for _ in range(people))
        focal = width / 2 / np.tan(np.radians(rng.uniform(34, 68) / 2))
        extents = _extents(rng, people)
        tops = np.array([figure.top for figure in figures])
        stature = np.array([figure.stance.body.height for figure in figures])
        # Sizes are chosen for a standing grown-up at that distance: a child or somebody sitting stays smaller.
        depths = np.maximum(1.72 * focal / (extents * height), 1.5)
        camera = _camera(rng, (width, height), float(focal), depths, tops)
        spots = _spots(rng, camera, depths, stature)
        turns = tuple(turn_y(_yaw(rng)) for _ in range(people))
        reach = float(np.abs(spots[:, 0]).max(initial=0.5))
        headroom = max(float(tops.max(initial=2.0)) + 0.2, camera.height + 0.3)
        place = sample_place(rng, float(-spots[:, 2].min(initial=-3.0)) + 0.6, reach, headroom)
        things = [
            Thing(figure.mesh.moved(turn, spot), figure.tiles)
            for figure, turn, spot in zip(figures, turns, spots, strict=True)
        ]
        for figure, turn, spot in zip(figures, turns, spots, strict=True):
            if figure.seat is not None:
                seat, tiles = sample_seat(rng, figure.seat, figure.stance.points["pelvis"])
                things.append(Thing(seat.moved(turn, spot), tiles))
        obstacles = int(rng.choice([0, 1, 2], p=[0.55, 0.3, 0.15]))
        things += [_obstacle(rng, camera, spots) for _ in range(obstacles)]
        return cls(camera, place, figures, turns, tuple(spots), tuple(things), int(rng.integers(2**31)))


def _extents(rng: np.random.Generator, people: int) -> np.ndarray:
    """(P,) how tall a grown-up would be, as a fraction of the picture's height: near to small."""
    if not people:
        return np.zeros(0)
    nearest = float(
        rng.choice([rng.uniform(0.7, 1.6), rng.uniform(0.35, 0.8), rng.uniform(0.12, 0.35)], p=[0.5, 0.38, 0.12])
    )
    rest = nearest * np.exp(rng.uniform(np.log(0.22), 0, people - 1))
    # Friends stand together, so some share the distance of the one before.
    extents = np.concatenate([[nearest], rest])
    for p in range(1, people):
        if rng.random() < 0.45:
            extents[p] = extents[p - 1] * rng.uniform(0.93, 1.07)
    return np.maximum(extents, 0.07)


def _camera(
    rng: np.random.Generator, size: tuple[int, int], focal: float, depths: np.ndarray, tops: np.ndarray
) -> Camera:
    up = float(
        rng.choice([rng.uniform(1.2, 1.75), rng.uniform(0.45, 1.2), rng.uniform(1.75, 3.6)], p=[0.55, 0.22, 0.23])
    )
    nearest = float(depths.min()) if len(depths) else 6.0
    up = min(up, 0.9 + 0.28 * nearest)  # nobody photographs a neighbour from the ceiling
    # Aim near the middle of the nearest person; who is too large for the picture loses the feet, not the head.
    tall = float(tops[int(depths.argmin())]) if len(depths) else 2.0
    aim = 0.55 * tall
    if rng.random() < 0.8:
        aim = max(aim, tall - 0.42 * size[1] / focal * nearest)
    pitch = np.degrees(np.arctan2(up - aim, nearest)) + rng.normal() * 1.6
    roll = float(rng.normal() * 1.6) if rng.random() < 0.6 else float(rng.uniform(-8, 8)) * (rng.random() < 0.3)
    return Camera(size, focal, up, float(np.clip(pitch, -10, 26)), roll)


def _spots(rng: np.random.Generator, camera: Camera, depths: np.ndarray, stature: np.ndarray) -> np.ndarray:
    """(P, 3): where everybody stands, in the picture and not inside of each other."""
    W, _ = camera.size
    spots: list[np.ndarray] = []
    for p, depth in enumerate(depths):
        spot = np.zeros(3)
        for attempt in range(30):
            z = depth * (1 + 0.02 * attempt * rng.random())
            half = W / 2 / camera.focal * z
            if p and rng.random() < 0.4 and abs(depths[p - 1] - depth) < 0.15 * depth:
                x = spots[-1][0] + float(rng.choice((-1, 1))) * rng.uniform(0.5, 0.95)
            else:
                x = rng.uniform(-1, 1) * half * (0.72 if p == 0 else 1.02)
            spot = np.array([x, 0.0, -z])
            apart = [np.hypot(*(spot - other)[[0, 2]]) for other in spots]
            if all(a > 0.5 * (stature[p] + stature[q]) / 3.4 + 0.12 for q, a in enumerate(apart)):
                break
        spots.append(spot)
    return np.array(spots).reshape(-1, 3)


def _yaw(rng: np.random.Generator) -> float:
    """Degrees; 0 faces the camera. Most people in photos do, more or less."""
    return float(rng.normal() * 38) if rng.random() < 0.66 else float(rng.uniform(-180, 180))


def _obstacle(rng: np.random.Generator, camera: Camera, spots: np.ndarray) -> Thing:
    mesh, tiles = sample_obstacle(rng)
    z = -float(rng.uniform(2.2, max(3.0, float(-spots[:, 2].min(initial=-6.0)) + 1)))
    x = 0.0
    for _ in range(20):
        x = float(rng.uniform(-1, 1)) * camera.size[0] / 2 / camera.focal * -z
        if all(np.hypot(x - s[0], z - s[2]) > 0.8 for s in spots):
            break
    return Thing(mesh.moved(turn_y(float(rng.uniform(0, 360))), np.array([x, 0.0, z])), tiles)
