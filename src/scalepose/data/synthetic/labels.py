"""Exact labels of a rendered scene, as COCO has them.

Keypoints are the projected joints, visibility is a test against the depth of the drawn surfaces, and boxes, areas and
outlines come from the pixels that a person owns.
"""

from typing import Any

import cv2
import numpy as np

from scalepose.data.synthetic.raster import gradients
from scalepose.data.synthetic.scenes import Scene
from scalepose.data.synthetic.surfaces import NEAREST, Surfaces

Record = dict[str, Any]
FEWEST_PIXELS = 12.0  # visible pixels below which nobody could say that somebody is there


def label_people(scene: Scene, surfaces: Surfaces) -> list[Record]:
    """One COCO record a person who can be seen."""
    raster, finer = surfaces.raster, surfaces.finer
    owner = surfaces.owner[raster.triangles]
    records = []
    for p in range(len(scene.figures)):  # things begin with the people
        y, x = np.divmod(raster.pixels[owner == p], raster.size[0])
        area = len(x) / finer**2
        if area < FEWEST_PIXELS:
            continue
        left, top = int(x.min()), int(y.min())
        mask = np.zeros((int(y.max()) + 1 - top, int(x.max()) + 1 - left), np.uint8)
        mask[y - top, x - left] = 1
        points = keypoint_rows(scene, surfaces, p)
        records.append({
            "category_id": 1,
            "iscrowd": 0,
            "keypoints": np.round(points, 2).reshape(-1).tolist(),
            "num_keypoints": int((points[:, 2] > 0).sum()),
            "bbox": [left / finer, top / finer, mask.shape[1] / finer, mask.shape[0] / finer],
            "area": area,
            "segmentation": _outline(mask, (left, top), finer),
        })  # fmt: skip
    return records


def keypoint_rows(scene: Scene, surfaces: Surfaces, person: int) -> np.ndarray:
    """(17, 3): x, y, v of one person; outside of the picture 0, 0, 0."""
    pixels, depth = scene.camera.project(scene.keypoints(person))
    W, H = scene.camera.size
    inside = (depth > NEAREST) & (pixels >= 0).all(axis=1) & (pixels[:, 0] < W) & (pixels[:, 1] < H)
    hidden = _depth_at(surfaces, pixels) < depth - scene.figures[person].depths
    rows = np.concatenate([pixels, np.where(hidden, 1.0, 2.0)[:, None]], axis=1)
    return np.where(inside[:, None], rows, 0.0)


def _depth_at(surfaces: Surfaces, pixels: np.ndarray) -> np.ndarray:
    """(N,) metres to the nearest surface at (N, 2) pixels of the picture, infinite where there is none."""
    raster = surfaces.raster
    W, H = raster.size
    x, y = np.floor(np.clip(pixels, -1, 1e6) * surfaces.finer).astype(np.int64).T
    flat = np.where((x >= 0) & (x < W) & (y >= 0) & (y < H), y * W + x, -1)
    depth = np.full(len(pixels), np.inf)
    at = np.searchsorted(raster.pixels, flat)
    found = np.flatnonzero(at < len(raster.pixels))
    found = found[raster.pixels[at[found]] == flat[found]]
    triangles = surfaces.triangles[raster.triangles[at[found]]]
    planes = gradients(surfaces.points, surfaces.nearness[:, None], triangles)[:, :, 0]
    depth[found] = 1 / (planes[:, 0] * (x[found] + 0.5) + planes[:, 1] * (y[found] + 0.5) + planes[:, 2])
    return depth


def _outline(mask: np.ndarray, corner: tuple[int, int], finer: int) -> list[list[float]]:
    """Outer outlines, as COCO polygons in pixels of the picture, of a mask `finer` times finer than the picture, whose
    first sample is `corner`; specks are left out."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=corner)
    polygons = []
    for contour in contours:
        contour = cv2.approxPolyDP(contour, 0.9, True).reshape(-1, 2)
        if len(contour) >= 3 and cv2.contourArea(contour) >= 4 * finer**2:
            polygons.append(np.round((contour + 0.5) / finer, 2).reshape(-1).tolist())
    return polygons
