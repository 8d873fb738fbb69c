"""From a scene to its picture and its exact labels.

Keypoints are the projected joints, visibility is a test against the depth of the drawn surfaces, and boxes, areas and
outlines come from the pixels that a person owns. It writes no files.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from scalepose.data.synthetic.backdrops import paint_place
from scalepose.data.synthetic.cameras import Camera, Light
from scalepose.data.synthetic.meshes import Mesh, cross, join, unit
from scalepose.data.synthetic.raster import Raster, gradients, interpolate, rasterise
from scalepose.data.synthetic.scenes import Scene, Seed

FINER = 2  # samples a pixel, each way
NEAREST = 0.25  # metres; what is nearer to the camera is not drawn
FEWEST_PIXELS = 12.0  # visible pixels below which nobody could say that somebody is there


def render_scene(
    seed: Seed, width: int = 640, height: int = 480, people: int | None = None
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Draw the scene that belongs to a seed.

    Returns the picture (H, W, 3) uint8 RGB and one record a visible person, with COCO's fields keypoints (51 numbers;
    v is 2 visible, 1 hidden, 0 outside of the picture), num_keypoints, bbox, area, segmentation, iscrowd and
    category_id. Same arguments, same bytes. Raises ScaleposeError for impossible sizes or numbers of people.
    """
    return render(Scene.sample(seed, width, height, people))


def render(scene: Scene) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """As `render_scene`, for a scene that exists already."""
    image, seen = paint_place(scene.place, scene.camera)
    surfaces = _project(scene)
    image *= _shadows(scene, surfaces, seen)[..., None]
    _draw(scene, surfaces, image)
    picture = _finish(np.random.default_rng(scene.lens), image)
    return picture, _labels(scene, surfaces)


@dataclass(frozen=True, repr=False, eq=False)
class Surfaces:
    """All surfaces of a scene on the finer grid. mesh: in the world frame. points: (V, 2) fine pixels. nearness: (V,)
    one over depth. triangles: (T, 3) those that face the camera. owner: (T,) thing each belongs to. raster: what is
    nearest."""

    mesh: Mesh
    points: np.ndarray
    nearness: np.ndarray
    triangles: np.ndarray
    owner: np.ndarray
    raster: Raster


def _project(scene: Scene) -> Surfaces:
    camera = scene.camera
    size = (camera.size[0] * FINER, camera.size[1] * FINER)
    mesh = join([thing.mesh for thing in scene.things])
    sizes = np.array([len(thing.mesh.triangles) for thing in scene.things], np.int64)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    pixels, depth = camera.project(mesh.points)
    triangles = mesh.triangles
    keep = (depth[triangles] > NEAREST).all(axis=1) & _facing(mesh, np.array([0.0, camera.height, 0.0]))
    triangles, owner = triangles[keep], owner[keep]
    nearness = 1 / np.maximum(depth, NEAREST)
    points = pixels * FINER
    return Surfaces(mesh, points, nearness, triangles, owner, rasterise(points, nearness, triangles, size))


def _facing(mesh: Mesh, eye: np.ndarray) -> np.ndarray:
    """(T,) bool: triangles whose outer side, as the normals of their corners say, looks at the eye."""
    a, b, c = (mesh.points[mesh.triangles[:, i]] for i in range(3))
    flat = cross(b - a, c - a)
    outward = (flat * mesh.normals[mesh.triangles[:, 0]]).sum(axis=1)
    return ((eye - a) * flat).sum(axis=1) * outward > 0


def _shadows(scene: Scene, surfaces: Surfaces, seen: np.ndarray) -> np.ndarray:
    """(H, W) float32 factors: the shadows of everything on the ground, and the dark where soles touch it."""
    W, H = scene.camera.size
    light, mesh = scene.place.light, surfaces.mesh
    slope = light.direction / max(light.direction[1], 0.2)
    strength = 0.9 * light.key.mean() / (light.key.mean() + 0.6 * light.sky.mean())
    cast = _flattened(scene, mesh, slope, np.inf, 0.3 + light.softness * 0.006 * W)
    contact = _flattened(scene, mesh, np.array([0.0, 1.0, 0.0]), 0.09, 0.3 + 0.0035 * W)
    factor = (1 - strength * cast) * (1 - 0.55 * contact)
    factor = cv2.resize(factor, (W, H), interpolation=cv2.INTER_LINEAR)
    return np.where(seen, factor, np.float32(1))


def _flattened(scene: Scene, mesh: Mesh, slope: np.ndarray, below: float, blur: float) -> np.ndarray:
    """(H/2, W/2) float32 0…1: all surfaces lower than `below` pushed onto the ground along `slope`, then blurred."""
    half = (scene.camera.size[0] // 2, scene.camera.size[1] // 2)
    pixels, depth = scene.camera.project(mesh.points - mesh.points[:, 1:2] * slope)
    fit = (depth > NEAREST) & (mesh.points[:, 1] < below)
    triangles = mesh.triangles[fit[mesh.triangles].all(axis=1)]
    cast = np.zeros((half[1], half[0]), np.float32)
    # The sun looks at half of all triangles; one winding of a closed surface covers the same ground as both.
    a, b, c = (pixels[triangles[:, i]] for i in range(3))
    turn = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    raster = rasterise(pixels / 2, np.ones(len(pixels)), triangles[turn > 0], half)
    cast.reshape(-1)[raster.pixels] = 1
    return cv2.GaussianBlur(cast, (0, 0), blur)


def _draw(scene: Scene, surfaces: Surfaces, image: np.ndarray) -> None:
    """Everything solid onto the (H, W, 3) float32 image, in place."""
    raster = surfaces.raster
    if not len(raster.pixels):
        return
    W, H = raster.size
    mesh = surfaces.mesh
    starts = np.cumsum([0] + [len(thing.tiles) for thing in scene.things])
    shift = np.repeat(starts[:-1], [len(thing.mesh.points) for thing in scene.things])
    atlas = np.concatenate([thing.tiles for thing in scene.things])
    texels = mesh.texels + np.stack([np.zeros(len(shift)), shift], axis=1)
    values = np.concatenate([texels, _lit(mesh, scene.camera, scene.place.light)], axis=1)
    attributes = interpolate(raster, surfaces.points, values, surfaces.triangles)
    colour = _look_up(atlas, attributes[:, :2]) * attributes[:, 2:]
    fine = np.zeros((H * W, 4), np.uint8)
    fine[raster.pixels, :3] = np.minimum(colour, 255)
    fine[raster.pixels, 3] = 255
    rows = slice(raster.pixels[0] // W // FINER, raster.pixels[-1] // W // FINER + 1)
    part = fine.reshape(H, W, 4)[rows.start * FINER : rows.stop * FINER]
    small = cv2.resize(part, (W // FINER, rows.stop - rows.start), interpolation=cv2.INTER_AREA).astype(np.float32)
    image[rows] *= 1 - small[..., 3:] * np.float32(1 / 255)
    image[rows] += small[..., :3]


def _lit(mesh: Mesh, camera: Camera, light: Light) -> np.ndarray:
    """(V, 3) light that each vertex sends to the camera from a white surface, as a factor on sRGB values."""
    normals = mesh.normals
    eye = unit(np.array([0.0, camera.height, 0.0]) - mesh.points)
    towards = np.clip((normals * eye).sum(axis=1), 0, 1)
    energy = light.on(normals)
    energy *= (0.72 + 0.28 * np.clip(mesh.points[:, 1] / 0.25, 0, 1))[:, None]  # little light below knees and seats
    # Factors are meant for linear light; on sRGB values their square root has the same effect.
    return np.sqrt(energy) * (0.82 + 0.18 * towards)[:, None]


def _look_up(atlas: np.ndarray, texels: np.ndarray) -> np.ndarray:
    """(N, 3) float32: bilinear samples of the atlas at (N, 2) texels."""
    N = len(texels)
    columns = 1024  # OpenCV's maps may not be longer than 32767 on a side
    padded = np.zeros((2, -(-N // columns) * columns), np.float32)
    padded[:, :N] = texels.T
    x, y = padded.reshape(2, -1, columns)
    return cv2.remap(atlas, x, y, cv2.INTER_LINEAR).reshape(-1, 3)[:N].astype(np.float32)


def _finish(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """What a camera adds: exposure, a colour cast, a little blur and noise. (H, W, 3) float32 → uint8."""
    gain = rng.uniform(0.92, 1.08) * (1 + 0.025 * rng.normal(size=3))
    image *= gain.astype(np.float32)
    if rng.random() < 0.35:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.35, 0.9)))
    # Noise from a table of 256 sorted normal values: much faster than drawing each.
    bell = (_BELL * rng.uniform(0.3, 3.0)).astype(np.float32)
    image += bell[rng.integers(0, 256, size=image.shape, dtype=np.uint8)]
    return np.clip(image, 0, 255).astype(np.uint8)


_BELL = np.sort(np.random.default_rng(0).normal(size=256))


def _labels(scene: Scene, surfaces: Surfaces) -> list[dict[str, Any]]:
    """One COCO record a person who can be seen."""
    raster = surfaces.raster
    W, H = raster.size
    owners = np.full(W * H, -1, np.int16)
    owners[raster.pixels] = surfaces.owner[raster.triangles]
    owners = owners.reshape(H, W)
    records = []
    for p in range(len(scene.figures)):  # things begin with the people
        mask = (owners == p).view(np.uint8)
        area = cv2.countNonZero(mask) / FINER**2
        if area < FEWEST_PIXELS:
            continue
        box = np.array(cv2.boundingRect(mask)) / FINER
        points = keypoint_rows(scene, surfaces, p)
        records.append({
            "category_id": 1,
            "iscrowd": 0,
            "keypoints": [round(float(v), 2) for v in points.reshape(-1)],
            "num_keypoints": int((points[:, 2] > 0).sum()),
            "bbox": [float(v) for v in box],
            "area": area,
            "segmentation": _outline(mask),
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
    x, y = np.floor(np.clip(pixels, -1, 1e6) * FINER).astype(np.int64).T
    flat = np.where((x >= 0) & (x < W) & (y >= 0) & (y < H), y * W + x, -1)
    depth = np.full(len(pixels), np.inf)
    at = np.searchsorted(raster.pixels, flat)
    found = np.flatnonzero(at < len(raster.pixels))
    found = found[raster.pixels[at[found]] == flat[found]]
    triangles = surfaces.triangles[raster.triangles[at[found]]]
    planes = gradients(surfaces.points, surfaces.nearness[:, None], triangles)[:, :, 0]
    depth[found] = 1 / (planes[:, 0] * (x[found] + 0.5) + planes[:, 1] * (y[found] + 0.5) + planes[:, 2])
    return depth


def _outline(mask: np.ndarray) -> list[list[float]]:
    """Outer outlines of a fine mask (H, W) as COCO polygons in pixels of the picture; specks are left out."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = []
    for contour in contours:
        contour = cv2.approxPolyDP(contour, 0.9, True).reshape(-1, 2)
        if len(contour) >= 3 and cv2.contourArea(contour) >= 4 * FINER**2:
            polygons.append([round(float(v), 2) for v in ((contour + 0.5) / FINER).reshape(-1)])
    return polygons
