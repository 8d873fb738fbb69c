"""Faces, painted on the tile of a head: eyes, brows, nostrils, mouth; sometimes a beard or glasses."""

from collections.abc import Sequence

import cv2
import numpy as np

from scalepose.data.synthetic import textures
from scalepose.data.synthetic.heads import EYE, NOSE, column_of
from scalepose.data.synthetic.meshes import TILE
from scalepose.data.synthetic.textures import ink

_WHITE, _BLACK = np.array((246.0, 243, 238)), np.array((16.0, 14, 14))
_IRISES = ((70, 46, 30), (50, 34, 24), (94, 110, 84), (84, 116, 150))
_RIMS = ((24, 24, 26), (60, 44, 34), (120, 100, 70))


def paint_face(
    rng: np.random.Generator, skin: np.ndarray, hair: np.ndarray, maturity: float, frame: float
) -> np.ndarray:
    """(TILE, TILE, 3) uint8 RGB. skin, hair: their colours (3,). maturity, frame: as in `Body`."""
    easel = _Easel(textures.skin(rng, skin))
    _flesh(rng, easel, skin, hair, bearded=frame < 0.5 and maturity == 1 and rng.random() < 0.35)
    _eyes(rng, easel, skin, hair, maturity, frame)
    _mouth(rng, easel, skin, frame)
    if rng.random() < 0.22:
        _glasses(rng, easel)
    return cv2.resize(easel.tile, (TILE, TILE), interpolation=cv2.INTER_AREA)


class _Easel:
    """A tile twice as large, so that thin lines stay smooth, painted in coordinates of the head frame."""

    def __init__(self, tile: np.ndarray):
        self.size = 2 * TILE
        self.tile = cv2.resize(tile, (self.size, self.size))

    def at(self, x: float, y: float) -> tuple[int, int]:
        """Texels in sixteenths."""
        u = 0.5 + column_of(x, y) / (2 * np.pi)
        return round(u * self.size * 16), round((0.5 - y) * self.size * 16)

    def blob(self, x: float, y: float, w: float, h: float, colour: np.ndarray) -> None:
        """An ellipse with half axes w and h."""
        (left, top), (right, bottom) = self.at(x - w, y + h), self.at(x + w, y - h)
        axes = (max(1, (right - left) // 2), max(1, (bottom - top) // 2))
        centre = ((left + right) // 2, (top + bottom) // 2)
        cv2.ellipse(self.tile, centre, axes, 0, 0, 360, ink(colour), -1, cv2.LINE_AA, 4)

    def stroke(self, points: Sequence[tuple[float, float]], colour: np.ndarray, thick: float) -> None:
        """A line through points."""
        line = np.array([self.at(*point) for point in points], np.int32)
        cv2.polylines(self.tile, [line], False, ink(colour), max(1, round(thick * self.size)), cv2.LINE_AA, 4)


def _flesh(rng: np.random.Generator, easel: _Easel, skin: np.ndarray, hair: np.ndarray, bearded: bool) -> None:
    """Warm cheeks, shadowed sockets and a beard, blurred before the sharp features go on."""
    for sign in (-1, 1):
        easel.blob(sign * 0.17, -0.15, 0.07, 0.055, skin * (1.0, 0.88, 0.86))
        easel.blob(sign * EYE[0], 0.015, 0.085, 0.05, skin * 0.88)
    if bearded:
        beard = skin * 0.45 + hair * 0.55 if rng.random() < 0.5 else hair
        easel.blob(0, -0.44, 0.16, 0.13, beard)
        easel.blob(0, -0.245, 0.11, 0.022, beard)
        for sign in (-1, 1):
            easel.blob(sign * 0.2, -0.3, 0.045, 0.2, beard)
    easel.tile = cv2.GaussianBlur(easel.tile, (0, 0), easel.size * 0.012)


def _eyes(
    rng: np.random.Generator, easel: _Easel, skin: np.ndarray, hair: np.ndarray, maturity: float, frame: float
) -> None:
    iris = textures.pick(rng, _IRISES)
    lash = np.minimum(hair * 0.55, skin * 0.4)
    lid_width, brow_width = (0.010, 0.02) if frame < 0.5 else (0.014, 0.013)
    h = 0.03 * float(rng.uniform(0.8, 1.1)) * (1.15 if maturity < 0.7 else 1.0)
    for sign in (-1, 1):
        x, y = sign * EYE[0], EYE[1]
        easel.blob(x, y, 0.064, h, _WHITE)
        easel.blob(x, y, 0.027, h, iris)
        easel.blob(x, y, 0.013, 0.015, _BLACK)
        easel.blob(x + 0.01, y + 0.01, 0.006, 0.006, _WHITE)
        easel.stroke(
            [(x - 0.068, y - 0.004), (x - 0.03, y + h), (x + 0.03, y + h), (x + 0.068, y - 0.004)], lash, lid_width
        )
        brow = [(x - sign * 0.07, y + 0.075), (x + sign * 0.01, y + 0.098), (x + sign * 0.085, y + 0.072)]
        easel.stroke(brow, np.minimum(hair, skin * 0.8), brow_width)
        easel.blob(sign * 0.035, NOSE - 0.025, 0.014, 0.009, skin * 0.5)  # nostril


def _mouth(rng: np.random.Generator, easel: _Easel, skin: np.ndarray, frame: float) -> None:
    lip = skin * (0.86, 0.62, 0.62) if frame < 0.5 else skin * (0.9, 0.55, 0.55) + (10, 0, 4)
    corner = -0.292 + float(rng.uniform(-0.004, 0.026))
    easel.blob(0, -0.285, 0.06, 0.016, lip)
    easel.blob(0, -0.322, 0.052, 0.018, lip)
    smile = [(-0.095, corner), (-0.045, -0.3), (0.0, -0.303), (0.045, -0.3), (0.095, corner)]
    easel.stroke(smile, skin * (0.5, 0.36, 0.36), 0.008)


def _glasses(rng: np.random.Generator, easel: _Easel) -> None:
    rim = textures.pick(rng, _RIMS)
    dark = rng.random() < 0.35
    turn = np.linspace(0, 2 * np.pi, 17)
    for sign in (-1, 1):
        x = sign * EYE[0]
        if dark:
            easel.blob(x, -0.005, 0.09, 0.06, np.array((32.0, 34, 40)))
        ring = np.stack([x + 0.09 * np.cos(turn), -0.005 + 0.06 * np.sin(turn)], axis=1)
        easel.stroke([(a, b) for a, b in ring.tolist()], rim, 0.010)
        easel.stroke([(sign * 0.225, 0.01), (sign * 0.3, 0.0)], rim, 0.010)
    easel.stroke([(-0.045, 0.005), (0.045, 0.005)], rim, 0.010)
