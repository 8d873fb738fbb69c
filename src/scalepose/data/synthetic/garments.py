"""Clothes as pictures: what is painted on each chart of the suit, and where it ends and skin begins.

Charts are those of `people.py`. Trunk: u = 0.5 is the front, 0 and 1 behind; v from the neck to the crotch. Arm and
leg: u from the outer or front side (0) around to the other (1), v from above the shoulder to the wrist and from the
hip to the ankle. Shoe: u from the sole to above the ankle, v from heel to toe. Garments end inside of charts, never
where two meet: charts meet along triangles, and that would show.
"""

import cv2
import numpy as np

from scalepose.data.synthetic import textures
from scalepose.data.synthetic.meshes import TILE
from scalepose.data.synthetic.textures import Colour, ink

WAIST, HEM = (0.56, 0.62), (0.74, 0.93)  # v on the trunk: where a top is tucked in, and where it hangs
ARMHOLE, SHORT, LONG = 0.14, (0.36, 0.56), 0.98  # v on the arm: where sleeves end
SHORTS, TROUSERS = (0.27, 0.58), 0.96  # v on the leg: where legs end; the crotch is at 0.11
COLLAR = 0.42  # u on the shoe: where it ends
_SOLES: tuple[Colour, ...] = ((240, 240, 236), (240, 240, 236), (60, 50, 44))
_LEATHER: tuple[Colour, ...] = ((60, 44, 34), (30, 28, 28), (110, 80, 54))
_U = np.arange(TILE) / (TILE - 1)


def trunk(
    rng: np.random.Generator,
    upper: np.ndarray,
    lower: np.ndarray,
    skin: np.ndarray,
    hem: float,
    straps: np.ndarray | None,
) -> np.ndarray:
    """Neckline, front and hem of a top over what covers the hips.

    upper, lower: tiles of cloth. skin: colour (3,). straps: colour (3,) of a backpack's straps, or None.
    """
    tile = upper.copy()
    cloth = upper[TILE // 2, TILE // 4].astype(float)
    dark = ink(cloth * 0.62)
    middle = TILE // 2
    style = rng.choice(["plain", "buttons", "zip", "print", "number", "open"], p=[0.36, 0.16, 0.12, 0.18, 0.06, 0.12])
    if style == "open":
        wide = int(rng.integers(5, 12))
        inner = ink(textures.pick(rng, textures.CLOTHS, unlike=skin))
        corners = [(middle - wide, 0), (middle + wide, 0), (middle + wide + 5, TILE), (middle - wide - 5, TILE)]
        cv2.fillPoly(tile, [np.array(corners, np.int32)], inner, cv2.LINE_AA)
        for x in (-1, 1):
            cv2.line(tile, (middle + x * wide, 0), (middle + x * (wide + 5), TILE), dark, 2, cv2.LINE_AA)
    elif style in ("buttons", "zip"):
        cv2.line(tile, (middle, 0), (middle, TILE), dark, 1 + (style == "zip"), cv2.LINE_AA)
        for y in range(24, TILE, 19) if style == "buttons" else ():
            cv2.circle(tile, (middle + 2, y), 1, dark, -1, cv2.LINE_AA)
    elif style == "number":
        colour = ink(textures.pick(rng, textures.CLOTHS, unlike=cloth))
        for x in (middle, 2):  # chest, and back (half of it on either edge would need a seam)
            cv2.putText(
                tile, str(rng.integers(1, 30)), (x - 13, 72), cv2.FONT_HERSHEY_DUPLEX, 0.9, colour, 2, cv2.LINE_AA
            )
    elif style == "print":
        colour = ink(textures.pick(rng, textures.CLOTHS, unlike=cloth))
        if rng.random() < 0.5:
            cv2.circle(tile, (middle, 58), int(rng.integers(7, 13)), colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(tile, (0, 55), (TILE, 55 + int(rng.integers(3, 26))), colour, -1)
    if straps is not None:
        for x in (-1, 1):
            strap = [(middle + x * 14, 0), (middle + x * 17, int(0.3 * TILE)), (middle + x * 40, int(0.55 * TILE))]
            cv2.polylines(tile, [np.array(strap, np.int32)], False, ink(straps), 5, cv2.LINE_AA)
    # Neckline: low in front, high behind; round or pointed.
    front, back = float(rng.uniform(0.12, 0.21)), float(rng.uniform(0.04, 0.08))
    across = np.abs(_U - 0.5) / float(rng.uniform(0.085, 0.115))
    dip = np.clip(1 - across, 0, 1) if rng.random() < 0.3 else np.sqrt(np.clip(1 - across**2, 0, 1))
    neck = np.stack([_U, back + (front - back) * dip], axis=1) * TILE
    outline = np.round(np.concatenate([neck, [(TILE, -2), (0, -2)]])).astype(np.int32)
    cv2.fillPoly(tile, [outline], ink(skin), cv2.LINE_AA)
    cv2.polylines(tile, [np.round(neck).astype(np.int32)], False, dark, 2, cv2.LINE_AA)
    row = int(hem * TILE)
    if row < TILE:
        tile[row:] = lower[row:]
        if hem <= WAIST[1] and rng.random() < 0.5:
            tile[row : row + 5] = textures.pick(rng, _LEATHER)
        else:
            tile[row - 1] = cloth * 0.55
    return tile


def sleeve(upper: np.ndarray, skin: np.ndarray, end: float) -> np.ndarray:
    """An arm in cloth down to `end`."""
    tile = _around_limb(upper, 0.16)
    row = int(max(end, 0.0) * TILE)
    tile[row:] = skin
    if 3 < row < TILE:
        tile[row - 3 : row] = (tile[row - 3 : row] * 0.8).astype(np.uint8)
    return tile


def _around_limb(cloth: np.ndarray, share: float) -> np.ndarray:
    """A tile for half of a limb, which is `share` of the way around the trunk: patterns keep their size."""
    wide = int(share * TILE)
    start = (TILE - wide) // 2
    return cv2.resize(cloth[:, start : start + wide], (TILE, TILE), interpolation=cv2.INTER_LINEAR)


def leg(rng: np.random.Generator, lower: np.ndarray, skin: np.ndarray, end: float, sock: np.ndarray) -> np.ndarray:
    """A leg in cloth down to `end`, sometimes with a stripe, and a sock, colour (3,), at the ankle."""
    tile = _around_limb(lower, 0.26)
    if rng.random() < 0.12:
        tile[:, 72:82] = textures.pick(rng, textures.CLOTHS)
    row = int(end * TILE)
    tile[row:] = skin
    if row > 3:
        tile[row - 2 : row] = (tile[row - 2 : row] * 0.8).astype(np.uint8)
    tile[max(row, int(rng.uniform(0.72, 0.96) * TILE)) :] = sock
    return tile


def shoe(rng: np.random.Generator, colour: np.ndarray, sock: np.ndarray) -> np.ndarray:
    """Sole, upper and laces, and the sock above."""
    tile = textures.plain(colour)
    tile[:, : int(0.14 * TILE)] = textures.pick(rng, _SOLES) if rng.random() < 0.7 else colour * 0.5
    lace = ink(255 - 0.6 * (255 - colour))
    for v in (0.5, 0.57, 0.64, 0.71):
        cv2.line(tile, (int(TILE * 0.2), int(TILE * v)), (int(TILE * COLLAR), int(TILE * v)), lace, 3, cv2.LINE_AA)
    tile[:, int(TILE * COLLAR) :] = sock
    return tile
