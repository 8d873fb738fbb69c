"""The camera and the light of a scene.

World frame: metres, right-handed; x right, y up, z towards the viewer; the ground is y = 0 and the camera stands above
the origin, looking along -z. A body in its own frame (x left, y up, z forward) put into this frame unturned faces the
camera. Picture frame: pixels, x right, y down, pixel centres at integers + 0.5.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scalepose.data.synthetic.bodies import turn_x, turn_z


@dataclass(frozen=True)
class Camera:
    """size: (W, H) pixels. focal: pixels. height: metres above the ground. pitch: degrees down. roll: degrees."""

    size: tuple[int, int]
    focal: float
    height: float
    pitch: float
    roll: float

    @cached_property
    def turn(self) -> np.ndarray:
        """(3, 3): world directions → camera directions (x right, y up, z backwards)."""
        return turn_z(self.roll) @ turn_x(self.pitch)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(..., 3) world points → ((..., 2) pixels, (...) depth in metres along the optical axis).

        Points behind the camera have a depth below zero and no meaningful pixel.
        """
        seen = (points - np.array([0.0, self.height, 0.0])) @ self.turn.T
        depth = -seen[..., 2]
        safe = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        x = self.size[0] / 2 + self.focal * seen[..., 0] / safe
        y = self.size[1] / 2 - self.focal * seen[..., 1] / safe
        return np.stack([x, y], axis=-1), depth

    @cached_property
    def matrix(self) -> np.ndarray:
        """(3, 4): homogeneous world points → homogeneous pixels; the third row is the depth."""
        W, H = self.size
        inner = np.array([[self.focal, 0, -W / 2], [0, -self.focal, -H / 2], [0, 0, -1]])
        turned = inner @ self.turn
        return np.concatenate([turned, turned @ np.array([[0], [-self.height], [0]])], axis=1)

    def rays(self) -> np.ndarray:
        """(3, H, W) float32: world direction through every pixel's centre, one metre along the optical axis."""
        W, H = self.size
        x = ((np.arange(W) + 0.5 - W / 2) / self.focal).astype(np.float32)[None, :]
        y = ((H / 2 - np.arange(H) - 0.5) / self.focal).astype(np.float32)[:, None]
        inverse = self.turn.T.astype(np.float32)
        return np.stack([inverse[i, 0] * x + inverse[i, 1] * y - inverse[i, 2] for i in range(3)])


@dataclass(frozen=True)
class Light:
    """direction: (3,) unit, towards the light. key, sky, ground: (3,) RGB strengths; a white sheet is 1 under all of
    it. softness: 0 hard shadows, 1 hardly any."""

    direction: np.ndarray
    key: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    softness: float

    def on(self, normals: np.ndarray) -> np.ndarray:
        """(V,) brightness of white surfaces with these unit normals (V, 3)."""
        # Wrapped: skin and cloth scatter light a little around the edge.
        key = np.maximum((normals @ self.direction + 0.18) / 1.18, 0)
        up = 0.5 + 0.5 * normals[:, 1]
        return key * self.key.mean() + up * self.sky.mean() + (1 - up) * self.ground.mean()
