"""How people really stand in photos: layouts and postures lifted from a few thousand annotated pictures.

`layouts.npz` is made by `tools/bake_layouts.py` from the keypoints of COCO train2017 (COCO Consortium, CC BY 4.0): per
person the joints' angles, which way it faces, how large it is and where its pelvis lies. It holds no pictures.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from scalepose.data.synthetic.postures import ARM, LEG, LIMITS, TRUNK, Posture


@dataclass(frozen=True)
class Placed:
    """One person of a layout. yaw: degrees, 0 faces the camera, + turns to the person's left. size: a metre at that
    distance as a share of the picture's height. place: the pelvis as fractions of the picture's width and height; not
    always inside of it.
    """

    posture: Posture
    yaw: float
    size: float
    place: tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """The people of one photo, and how far the camera looked down, degrees."""

    people: tuple[Placed, ...]
    pitch: float


@dataclass(frozen=True, repr=False, eq=False)
class _Table:
    names: tuple[str, ...]
    angles: np.ndarray  # (N, A) degrees
    yaw: np.ndarray
    pitch: np.ndarray
    size: np.ndarray
    place: np.ndarray
    first: np.ndarray  # (L + 1,)


@cache
def _table() -> _Table:
    with (files("scalepose.data.synthetic") / "layouts.npz").open("rb") as file:
        data = dict(np.load(file))
    names = tuple(data["names"].tolist())
    low, high = np.array([LIMITS[name.split(".")[-1]] for name in names], float).T
    return _Table(
        names, low + data["angles"] / 255 * (high - low), data["yaw"] * 2.0, data["pitch"] / 2.0,
        np.exp2(data["size"].astype(float)), data["place"].astype(float), np.append(data["first"], len(data["yaw"])),
    )  # fmt: skip


def sample_layout(rng: np.random.Generator, people: int | None = None) -> Layout:
    """The layout of a real photo, half of the time its mirror image.

    people: how many; crowds are put together from several photos. None: as many as there were.
    """
    table = _table()
    if people == 0:
        return Layout((), float(rng.normal(4, 5)))
    members: list[int] = []
    counts = np.diff(table.first)
    while not members or (people is not None and len(members) < people):
        missing = None if people is None else people - len(members)
        fits = np.arange(len(counts)) if missing is None else np.flatnonzero(counts == min(missing, 8))
        chosen = int(fits[rng.integers(len(fits))])
        members += range(table.first[chosen], table.first[chosen + 1])
    mirror = bool(rng.random() < 0.5)
    placed = tuple(_placed(rng, table, m, mirror) for m in members)
    return Layout(placed, float(np.median(table.pitch[members])))


def sample_real_posture(rng: np.random.Generator) -> Posture:
    """The posture of somebody in a real photo."""
    table = _table()
    return _placed(rng, table, int(rng.integers(len(table.yaw))), bool(rng.random() < 0.5)).posture


def _placed(rng: np.random.Generator, table: _Table, n: int, mirror: bool) -> Placed:
    angle = dict(zip(table.names, table.angles[n].tolist(), strict=True))
    trunk = {name: angle.get(name, 0.0) for name in TRUNK}
    # What keypoints do not show is drawn: how hands are turned and closed, and whether heels are lifted.
    hands = {"palm": lambda: rng.normal() * 25, "curl": lambda: rng.uniform(0.1, 0.8), "toe": lambda: 0.0}
    arms, legs = (
        tuple(
            {name: float(angle[f"{S}.{name}"] if f"{S}.{name}" in angle else hands[name]()) for name in names}
            for S in "LR"
        )
        for names in (ARM, LEG)
    )
    seat = min(leg["hip"] for leg in legs) > 52 and min(leg["knee"] for leg in legs) > 20 and abs(trunk["lie"]) < 45
    squats = max(leg["knee"] for leg in legs) > 118
    posture = Posture("real", trunk, (arms[0], arms[1]), (legs[0], legs[1]), seat and not squats)
    yaw, (x, y) = float(table.yaw[n]), table.place[n].tolist()
    if mirror:
        return Placed(posture.mirror(), -yaw, float(table.size[n]), (1 - x, y))
    return Placed(posture, yaw, float(table.size[n]), (x, y))
