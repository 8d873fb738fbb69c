"""Where people are: a room, a street, open ground or a photo, with ground, walls, sky and light. It draws nothing."""

from dataclasses import dataclass

import numpy as np

from scalepose.data.synthetic.cameras import Light
from scalepose.data.synthetic.textures import Colour, noise, pick
from scalepose.data.synthetic.walls import facade, room_wall

FLOOR = 256  # texels on a side of a tile of ground
FLOOR_METRES = 1.8  # of ground on one tile

_GROUNDS: dict[str, tuple[Colour, ...]] = {
    "planks": ((166, 122, 82), (190, 150, 106), (124, 86, 58), (204, 178, 142)),
    "tiles": ((206, 202, 194), (170, 172, 174), (190, 164, 136), (222, 218, 210)),
    "carpet": ((122, 110, 104), (92, 104, 124), (150, 138, 118), (128, 74, 70)),
    "plain": ((178, 178, 174), (146, 150, 148), (196, 188, 172)),
    "grass": ((98, 132, 62), (122, 148, 78), (86, 116, 60), (146, 150, 88)),
    "asphalt": ((112, 112, 114), (134, 132, 130), (92, 94, 98)),
    "paving": ((176, 168, 156), (152, 150, 148), (186, 160, 136)),
    "sand": ((218, 198, 160), (206, 184, 146)),
    "snow": ((232, 236, 242),),
    "court": ((84, 128, 106), (172, 96, 74), (78, 110, 152)),
}


@dataclass(frozen=True, repr=False, eq=False)
class Place:
    """kind: room, street, open or photo. ground: (FLOOR, FLOOR, 3) uint8 tile. back: metres to a wall behind everybody,
    with its `height` and picture `wall`. side: metres to the side walls of a room. sky: colours at the top and at the
    horizon, cloudiness 0…1. far: seed of what stands on the horizon. blurred: out of focus.
    photo: (h, w, 3) uint8 RGB that stands behind everything, or None."""

    kind: str
    ground: np.ndarray
    back: float
    height: float
    side: float
    wall: np.ndarray
    sky: tuple[np.ndarray, np.ndarray, float]
    far: int
    light: Light
    blurred: bool
    photo: np.ndarray | None = None


def sample_place(
    rng: np.random.Generator, depth: float, width: float, headroom: float, photo: np.ndarray | None = None
) -> Place:
    """A place with room for people up to `depth` metres away and `width` metres to either side, under a ceiling at
    least `headroom` high; or a photo of somewhere, lit like a dull day, a room or a sunny one."""
    if photo is not None:
        empty = np.zeros((1, 1, 3), np.uint8)
        light = _light(rng, str(rng.choice(["room", "open"])))
        return Place("photo", empty, 0, 0, 0, empty, _sky(rng), 0, light, False, photo)
    kind = str(rng.choice(["room", "street", "open"], p=[0.34, 0.28, 0.38]))
    if kind == "room" and (depth > 14 or headroom > 4.2):
        kind = "street"
    back = depth + float(rng.uniform(0.8, 3.0) if kind == "room" else rng.uniform(1.5, 7.0))
    height = max(headroom, float(rng.uniform(2.5, 3.2))) if kind == "room" else float(rng.uniform(2.6, 9.0))
    side = width + float(rng.uniform(0.7, 2.5))
    if kind == "street":
        side = min((width + 1) * back / depth + 6, 60)  # what the camera sees of it, and a little more
    span = side * 2
    wall = room_wall(rng, span, height) if kind == "room" else facade(rng, span, height)
    blurred = bool(rng.random() < 0.6)
    far = int(rng.integers(2**31))
    return Place(kind, _ground(rng, kind), back, height, side, wall, _sky(rng), far, _light(rng, kind), blurred)


def _light(rng: np.random.Generator, kind: str) -> Light:
    azimuth = np.radians(rng.uniform(-150, 150))
    elevation = np.radians(rng.uniform(55, 80) if kind == "room" else rng.uniform(22, 68))
    direction = np.array([
        np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation),
    ])  # fmt: skip
    if kind == "room":
        warm = rng.uniform(-0.05, 0.09)
        key = 0.42 * np.array([1 + warm, 1.0, 1 - warm])
        return Light(direction, key, np.full(3, 0.5), np.array([0.34, 0.32, 0.29]), 0.8)
    sunny = float(rng.beta(1.1, 0.8))
    low = np.clip((0.75 - elevation) / 0.5, 0, 1)
    key = (0.16 + 0.56 * sunny) * np.array([1.0 + 0.08 * low, 0.97 - 0.05 * low, 0.9 - 0.22 * low])
    sky = (0.62 - 0.2 * sunny) * np.array([0.94, 1.0, 1.08])
    return Light(direction, key, sky, np.array([0.3, 0.29, 0.26]), 1 - 0.85 * sunny)


def _sky(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    top = pick(rng, ((76, 134, 206), (96, 150, 214), (130, 168, 210), (168, 182, 198), (120, 136, 176)), 6)
    horizon = pick(rng, ((206, 222, 236), (222, 228, 232), (236, 220, 196), (196, 210, 224)), 6)
    return top, horizon, float(rng.uniform(0, 1))


def _ground(rng: np.random.Generator, kind: str) -> np.ndarray:
    """(FLOOR, FLOOR, 3) uint8 RGB, periodic."""
    indoor, outdoor = ("planks", "tiles", "carpet", "plain"), ("grass", "asphalt", "paving", "sand", "snow", "court")
    if kind == "room":
        look = str(rng.choice(indoor, p=[0.4, 0.25, 0.2, 0.15]))
    elif kind == "street":
        look = str(rng.choice(["asphalt", "paving", "tiles"]))
    else:
        look = str(rng.choice(outdoor, p=[0.42, 0.14, 0.1, 0.18, 0.06, 0.1]))
    rough = {"grass": 0.16, "asphalt": 0.07, "sand": 0.05, "snow": 0.02, "carpet": 0.05}.get(look, 0.035)
    y = int(rng.integers(0, 256))
    grain = 0.6 * np.roll(noise(64), y, axis=0) + 0.4 * np.roll(noise(8), y, axis=1)
    tile = pick(rng, _GROUNDS[look], 5) * (1 + rough * grain)[..., None]
    if look == "grass":
        tile += noise(32)[..., None] * (6, 2, 5)
    if look == "planks":
        rows = 16
        tone = 1 + 0.09 * rng.normal(size=rows)
        tile *= np.repeat(tone, FLOOR // rows)[None, :, None]
        tile *= 1 + 0.05 * np.roll(noise(8)[:, ::-1], y, axis=0)[np.arange(256) // 12][..., None]
        tile[:, :: FLOOR // rows] *= 0.72
        for i in range(rows):
            tile[int(rng.integers(FLOOR)), i * FLOOR // rows : (i + 1) * FLOOR // rows] *= 0.7
    if look in ("tiles", "paving"):
        step = int(rng.choice([32, 64]))
        tone = 1 + (0.03 if look == "tiles" else 0.08) * rng.normal(size=(FLOOR // step, FLOOR // step))
        tile *= np.kron(tone, np.ones((step, step)))[..., None]
        gap = 0.8 if rng.random() < 0.6 else 1.12
        for offset in range(2):
            tile[offset::step] *= gap
            tile[:, offset::step] *= gap
    if look == "court":
        tile[:6] = tile[:, :6] = (236, 236, 230)
    return np.clip(tile, 0, 255).astype(np.uint8)
