"""What surfaces look like: skin, faces, hair, cloth with patterns and folds; each one square tile of RGB.

How a garment lies in its tile is the business of `garments.py`.
"""

from functools import cache

import cv2
import numpy as np

from scalepose.data.synthetic.meshes import TILE

Colour = tuple[int, int, int]

SKINS: tuple[Colour, ...] = (
    (250, 220, 200), (244, 208, 180), (236, 194, 162), (226, 178, 144), (212, 160, 124), (194, 140, 102),
    (170, 116, 80), (144, 94, 62), (116, 74, 50), (92, 58, 40), (72, 46, 34),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (28, 24, 24), (36, 28, 26), (52, 36, 28), (74, 50, 34), (98, 66, 42), (128, 88, 54), (168, 128, 78),
    (206, 172, 112), (222, 196, 142), (150, 66, 34),
)  # fmt: skip
GREYS: tuple[Colour, ...] = ((120, 118, 118), (190, 188, 186), (226, 224, 220), (98, 92, 88))
# No colour of cloth is one that skin can have.
CLOTHS: tuple[Colour, ...] = (
    (244, 242, 236), (244, 242, 236), (222, 216, 204), (40, 42, 48), (40, 42, 48), (62, 66, 74), (110, 114, 120),
    (160, 164, 168), (30, 44, 78), (44, 72, 128), (76, 120, 178), (142, 184, 216), (160, 40, 44), (198, 62, 54),
    (222, 88, 84), (246, 156, 182), (236, 186, 74), (244, 216, 126), (54, 92, 66), (92, 134, 86), (156, 182, 132),
    (86, 88, 74), (140, 134, 98), (198, 192, 156), (104, 62, 108), (156, 112, 164), (212, 170, 206), (32, 112, 116),
    (96, 170, 168), (232, 128, 52), (128, 30, 66), (206, 88, 128),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = (
    (38, 50, 78), (52, 70, 106), (78, 100, 138), (116, 138, 168), (36, 36, 40), (36, 36, 40), (66, 66, 70),
    (98, 96, 94), (112, 108, 82), (166, 160, 124), (204, 200, 180), (88, 92, 70), (74, 60, 68), (226, 222, 212),
)  # fmt: skip
SOCKS: tuple[Colour, ...] = ((236, 236, 232), (40, 40, 44), (120, 124, 130), (60, 70, 100))
SHOES: tuple[Colour, ...] = (
    (240, 240, 238), (236, 234, 228), (34, 34, 36), (38, 36, 36), (96, 64, 42), (128, 90, 58), (180, 48, 46),
    (46, 74, 130), (120, 122, 126),
)  # fmt: skip


def pick(
    rng: np.random.Generator, colours: tuple[Colour, ...], spread: float = 9.0, unlike: np.ndarray | None = None
) -> np.ndarray:
    """(3,) float: one of the colours, a little off; clearly another one than `unlike`, where that is given."""
    if unlike is not None:
        far = np.abs(np.array(colours) - unlike).sum(axis=1) > 130
        colours = tuple(colour for colour, fits in zip(colours, far, strict=True) if fits)
    colour = np.array(colours[int(rng.integers(len(colours)))]) + rng.normal(size=3) * spread
    return np.minimum(np.maximum(colour, 12), 250)


def ink(colour: np.ndarray) -> Colour:
    """(3,) → what OpenCV draws with."""
    r, g, b = colour.tolist()
    return min(max(int(r), 0), 255), min(max(int(g), 0), 255), min(max(int(b), 0), 255)


def inks(colours: np.ndarray) -> list[Colour]:
    """`ink` of (N, 3) colours."""
    return list(map(tuple, np.minimum(np.maximum(colours, 0), 255).astype(np.int64).tolist()))


@cache
def noise(smoothest: int = 8) -> np.ndarray:
    """(256, 256) float32, periodic, mean 0, deviation 1: cloudy, its largest features 256 / `smoothest` pixels wide."""
    rng = np.random.default_rng(smoothest)
    field = np.zeros((256, 256), np.float32)
    cells, weight = smoothest, 1.0
    while cells <= 128:
        grid = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 2, mode="wrap")
        step = 256 // cells
        big = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        field += weight * big[2 * step : 2 * step + 256, 2 * step : 2 * step + 256]
        cells, weight = cells * 2, weight * 0.55
    field = (field - field.mean()) / field.std()
    field.flags.writeable = False
    return field


def _patch(rng: np.random.Generator, smoothest: int, stretch: tuple[int, int] = (1, 1)) -> np.ndarray:
    """(TILE, TILE) float32 from `noise`, drawn out by (across, down); closed around where that is not across."""
    w, h = 256 // stretch[0], max(2, TILE // stretch[1])
    x, y = rng.integers(0, 257 - w), rng.integers(0, 256 - h)
    return cv2.resize(noise(smoothest)[y : y + h, x : x + w], (TILE, TILE), interpolation=cv2.INTER_LINEAR)


def plain(colour: np.ndarray) -> np.ndarray:
    """A tile of one colour."""
    tile = np.empty((TILE, TILE, 3), np.uint8)
    cv2.rectangle(tile, (0, 0), (TILE, TILE), ink(colour), -1)
    return tile


def shaded(tile: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The tile, every texel brighter by the factor 1 + change (TILE, TILE)."""
    return cv2.multiply(tile, cv2.merge([1 + change] * 3), dtype=cv2.CV_8U)


def cloth(rng: np.random.Generator, colour: np.ndarray, patterned: float = 0.4) -> np.ndarray:
    """Cloth without folds: plain, or with probability `patterned` striped, checked, dotted or with leaves."""
    tile = plain(colour)
    if rng.random() >= patterned:
        return tile
    second = pick(rng, CLOTHS)
    if np.abs(second - colour).sum() < 90:
        second = np.where(colour.mean() > 128, colour * 0.45, 255 - (255 - colour) * 0.4)
    line = ink(second)
    period = int(rng.choice((8, 10, 16, 20)))  # divides the tile: what closes around a body shows no seam
    kind = rng.choice(["across", "down", "check", "dots", "leaves"])
    if kind in ("across", "check"):
        for y in range(int(rng.integers(period)), TILE, period):
            cv2.rectangle(tile, (0, y), (TILE, y + period // 2 - 1), line, -1)
    if kind == "down":
        for x in range(int(rng.integers(period)), TILE, period):
            cv2.rectangle(tile, (x, 0), (x + max(1, period // 4), TILE), line, -1)
    if kind == "check":
        columns = plain(colour)
        for x in range(0, TILE, period):
            cv2.rectangle(columns, (x, 0), (x + period // 2 - 1, TILE), line, -1)
        tile = cv2.addWeighted(tile, 0.5, columns, 0.5, 0)
    if kind == "dots":
        for y in range(period // 2, TILE, period):
            for x in range(period // 2 + (y // period % 2) * period // 2, TILE, period):
                cv2.circle(tile, (x, y), max(1, period // 5), line, -1, cv2.LINE_AA)
    if kind == "leaves":
        third = ink(pick(rng, CLOTHS))
        for x, y, turn in rng.integers(0, (TILE, TILE, 180), size=(60, 3)):
            cv2.ellipse(tile, (int(x), int(y)), (5, 2), int(turn), 0, 360, line if turn % 3 else third, -1, cv2.LINE_AA)
    return tile


def folded(rng: np.random.Generator, tile: np.ndarray, depth: float = 0.07) -> np.ndarray:
    """Cloth with soft folds that run down."""
    return shaded(tile, depth * _patch(rng, 8, (1, 2)))


def skin(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Bare skin, slightly uneven."""
    return shaded(plain(colour), 0.018 * _patch(rng, 8))


def hair(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Strands that run down."""
    return shaded(plain(colour), 0.14 * _patch(rng, 32, (1, 6)))


def foliage(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Leaves, light and dark."""
    tile = plain(colour * 0.68)
    leaves = rng.integers(0, (TILE, TILE, 180, 60), size=(90, 4))
    tones = inks(colour * (0.8 + leaves[:, 3:] / 150))
    for (x, y, turn, _), leaf in zip(leaves.tolist(), tones, strict=True):
        cv2.ellipse(tile, (x, y), (12, 6), turn, 0, 360, leaf, -1, cv2.LINE_AA)
    return tile
