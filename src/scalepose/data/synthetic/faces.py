"""Faces, painted as seen from in front: brows, lids, lips, cheeks; sometimes a beard or glasses. And eyes.

Coordinates are heights of the head from the middle between the eyes, x to the person's left, y up.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from scalepose.data.synthetic import textures
from scalepose.data.synthetic.meshes import TILE
from scalepose.data.synthetic.textures import Colour, ink

EYE, NOSE, MOUTH = 0.137, -0.13, -0.255  # x of the left eye; y of the nose and of the mouth
_EYE_LEVEL = 0.522  # v of the middle between the eyes
_IRISES: tuple[Colour, ...] = ((70, 46, 30), (50, 34, 24), (94, 110, 84), (84, 116, 150))
_RIMS: tuple[Colour, ...] = ((24, 24, 26), (60, 44, 34), (120, 100, 70))
Points = Sequence[tuple[float, float]]


def paint_eye(rng: np.random.Generator) -> np.ndarray:
    """(TILE, TILE, 3) uint8 RGB: an eyeball from in front."""
    tile = textures.plain(np.array((236.0, 232, 226)))
    centre = (TILE // 2, TILE // 2)
    cv2.circle(tile, centre, int(0.17 * TILE), ink(textures.pick(rng, _IRISES)), -1, cv2.LINE_AA)
    cv2.circle(tile, centre, int(0.08 * TILE), (16, 14, 14), -1, cv2.LINE_AA)
    return tile


def paint_face(
    rng: np.random.Generator, skin: np.ndarray, hair: np.ndarray, age: float, femininity: float
) -> np.ndarray:
    """(TILE, TILE, 3) uint8 RGB. skin, hair: their colours (3,). age, femininity: as in `Body`."""
    easel = _Easel(textures.skin(rng, skin))
    grown = age > 0.6
    for side in (-1, 1):
        easel.blob(side * 0.16, -0.16, 0.07, 0.05, skin * (1.0, 0.9, 0.88))
        easel.blob(side * EYE, 0.02, 0.075, 0.035, skin * 0.88)
    if grown and femininity < 0.5 and rng.random() < 0.4:
        _beard(easel, skin * 0.45 + hair * 0.55 if rng.random() < 0.5 else hair)
    easel.tile = cv2.GaussianBlur(easel.tile, (0, 0), 2.0)
    lash = np.minimum(hair * 0.55, skin * 0.4)
    brow = np.minimum(hair, skin * 0.8)
    for side in (-1, 1):
        x = side * EYE
        easel.line(
            [(x - side * 0.06, -0.004), (x, 0.024), (x + side * 0.06, 0.004)], lash, 2 if femininity > 0.5 else 1
        )
        arch = [(x - side * 0.065, 0.075), (x + side * 0.005, 0.094), (x + side * 0.075, 0.072)]
        easel.line(arch, brow, 3 if femininity < 0.5 else 2)
        easel.blob(side * 0.03, NOSE - 0.028, 0.013, 0.008, skin * 0.5)  # nostril
    lip = skin * (0.86, 0.62, 0.62) if femininity < 0.5 else skin * (0.9, 0.55, 0.55) + (10, 0, 4)
    easel.blob(0, MOUTH, 0.066, 0.028, lip)
    corner = MOUTH + float(rng.uniform(-0.006, 0.012))
    easel.line([(-0.075, corner), (0, MOUTH), (0.075, corner)], skin * (0.5, 0.36, 0.36), 1)
    if grown and rng.random() < 0.24:
        _glasses(rng, easel)
    return easel.tile


class _Easel:
    """A tile, painted in coordinates of the face."""

    def __init__(self, tile: np.ndarray):
        self.tile = tile

    def at(self, x: float, y: float) -> tuple[int, int]:
        """Texels in sixteenths."""
        return round((0.5 + x) * TILE * 16), round((_EYE_LEVEL - y) * TILE * 16)

    def blob(self, x: float, y: float, w: float, h: float, colour: np.ndarray) -> None:
        """An ellipse with half axes w and h."""
        axes = (round(w * TILE * 16), round(h * TILE * 16))
        cv2.ellipse(self.tile, self.at(x, y), axes, 0, 0, 360, ink(colour), -1, cv2.LINE_AA, 4)

    def line(self, points: Points, colour: np.ndarray, thick: int) -> None:
        """A line through points, `thick` texels wide."""
        line = np.array([self.at(*point) for point in points], np.int32)
        cv2.polylines(self.tile, [line], False, ink(colour), thick, cv2.LINE_AA, 4)


def _beard(easel: _Easel, colour: np.ndarray) -> None:
    jaw = [
        (-0.27, 0.0),
        (-0.22, -0.16),
        (-0.09, -0.2),
        (0.09, -0.2),
        (0.22, -0.16),
        (0.27, 0.0),
        (0.3, -0.5),
        (-0.3, -0.5),
    ]
    cv2.fillPoly(easel.tile, [np.array([easel.at(*p) for p in jaw], np.int32)], ink(colour), cv2.LINE_AA, 4)


def _glasses(rng: np.random.Generator, easel: _Easel) -> None:
    rim, dark = textures.pick(rng, _RIMS), rng.random() < 0.4
    for side in (-1, 1):
        centre, axes = easel.at(side * EYE, -0.01), (round(0.085 * TILE * 16), round(0.06 * TILE * 16))
        if dark:
            cv2.ellipse(easel.tile, centre, axes, 0, 0, 360, (32, 34, 40), -1, cv2.LINE_AA, 4)
        cv2.ellipse(easel.tile, centre, axes, 0, 0, 360, ink(rim), 2, cv2.LINE_AA, 4)
        easel.line([(side * 0.22, 0.0), (side * 0.33, 0.0)], rim, 2)
    easel.line([(-0.05, 0.0), (0.05, 0.0)], rim, 2)
