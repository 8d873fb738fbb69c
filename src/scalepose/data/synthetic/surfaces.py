"""All surfaces of a scene as its camera sees them: which triangle is nearest at every sample of the picture."""

from dataclasses import dataclass

import numpy as np
from numpy import take

from scalepose.data.synthetic.cameras import Camera, Light
from scalepose.data.synthetic.meshes import TILE, Mesh, join, unit
from scalepose.data.synthetic.raster import Raster, rasterise
from scalepose.data.synthetic.scenes import Scene

NEAREST = 0.25  # metres; what is nearer to the camera is not drawn
FINER = 2  # samples a pixel, each way, where people are small
FEW = 30_000  # pixels that things may cover for that; above, outlines are smoothed instead


@dataclass(frozen=True, repr=False, eq=False)
class Surfaces:
    """All surfaces of a scene on a grid `finer` times finer than the picture.

    mesh: in the world frame. points: (V, 2) fine pixels. nearness: (V,) one over depth. triangles: (T, 3) those that
    face the camera. owner: (T,) thing each belongs to. part: (T,) numbers that differ between things and between tiles
    of one. atlas: of all. values: (V, 3) texel and brightness. raster: what is nearest.
    """

    finer: int
    mesh: Mesh
    points: np.ndarray
    nearness: np.ndarray
    triangles: np.ndarray
    owner: np.ndarray
    part: np.ndarray
    atlas: np.ndarray
    values: np.ndarray
    raster: Raster


def project_surfaces(scene: Scene) -> Surfaces:
    """Project, sort out and rasterise everything solid in a scene."""
    camera = scene.camera
    mesh = join([thing.mesh for thing in scene.things])
    sizes = np.array([len(thing.mesh.triangles) for thing in scene.things], np.int64)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    pixels, depth = camera.project(mesh.points)
    triangles = mesh.triangles
    area = areas(pixels, triangles)
    keep = (area < 0) & of_all(depth > NEAREST, triangles)
    triangles, owner = triangles[keep], owner[keep]
    nearness = 1 / np.maximum(depth, NEAREST)
    finer = FINER if _covered(pixels, triangles, camera.size) < FEW else 1
    points = pixels * finer
    raster = rasterise(points, nearness, triangles, (camera.size[0] * finer, camera.size[1] * finer))
    atlas, starts = _atlas(scene)
    shift = np.repeat(starts, [len(thing.mesh.points) for thing in scene.things])
    texels = mesh.texels + np.stack([0 * shift, shift], axis=1).astype(np.float32)
    values = np.concatenate([texels, _lit(mesh, camera, scene.place.light)[:, None]], axis=1, dtype=np.float32)
    tile = texels[triangles[:, 0], 1].astype(np.int64) // (TILE // 4)
    return Surfaces(
        finer,
        mesh,
        points,
        nearness,
        triangles,
        owner,
        (1 + owner * 41 + tile).astype(np.uint16),
        atlas,
        values,
        raster,
    )


def _covered(pixels: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> float:
    """Pixels of the picture that triangles would cover if none lay behind another."""
    return float(-areas(np.clip(pixels, 0, size), triangles).sum() / 2)


def areas(pixels: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T,) twice the areas in square pixels, below zero for triangles whose outer side is seen."""
    x, y = (take(pixels[:, i], triangles.T) for i in (0, 1))
    return (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])


def of_all(holds: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T,) bool: of all three corners."""
    a, b, c = (take(holds, triangles[:, i]) for i in range(3))
    return a & b & c


def _atlas(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """(rows, TILE, 3): the atlases of all things one below the other, and where each starts."""
    starts = np.cumsum([0] + [len(thing.tiles) for thing in scene.things])
    atlas = np.zeros((max(1, starts[-1]), TILE, 3), np.uint8)
    for thing, start in zip(scene.things, starts[:-1], strict=True):
        atlas[start : start + len(thing.tiles), : thing.tiles.shape[1]] = thing.tiles
    return atlas, starts[:-1]


def _lit(mesh: Mesh, camera: Camera, light: Light) -> np.ndarray:
    """(V,) light that each vertex sends to the camera from a white surface, as a factor on sRGB values."""
    normals = mesh.normals
    eye = unit(np.array([0.0, camera.height, 0.0], np.float32) - mesh.points)
    towards = np.clip(np.einsum("vi,vi->v", normals, eye), 0, 1)
    energy = light.on(normals)
    energy *= 0.72 + 0.28 * np.clip(mesh.points[:, 1] / 0.25, 0, 1)  # little light below knees and seats
    # Factors are meant for linear light; on sRGB values their square root has the same effect.
    return np.sqrt(energy) * (0.82 + 0.18 * towards)
