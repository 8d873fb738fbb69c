"""From a scene to its picture, with its labels. It writes no files."""

import cv2
import numpy as np

from scalepose.data.synthetic.backdrops import paint_place
from scalepose.data.synthetic.cameras import Camera, Light
from scalepose.data.synthetic.labels import Record, label_people
from scalepose.data.synthetic.lenses import take
from scalepose.data.synthetic.raster import interpolate, rasterise
from scalepose.data.synthetic.scenes import Photo, Scene, Seed
from scalepose.data.synthetic.surfaces import NEAREST, Surfaces, areas, of_all, project_surfaces


def render_scene(
    seed: Seed, width: int = 640, height: int = 480, people: int | None = None, photo: Photo | None = None
) -> tuple[np.ndarray, list[Record]]:
    """Draw the scene that belongs to a seed.

    photo: gives a picture to stand behind the people instead of a drawn place. Returns the picture (H, W, 3) uint8 RGB
    and one record a visible person, with COCO's fields keypoints (51 numbers; v is 2 visible, 1 hidden, 0 outside of
    the picture), num_keypoints, bbox, area, segmentation, iscrowd and category_id. Same arguments, same bytes.
    Raises ScaleposeError for impossible sizes or numbers of people.
    """
    return render(Scene.sample(seed, width, height, people, photo))


def render(scene: Scene) -> tuple[np.ndarray, list[Record]]:
    """As `render_scene`, for a scene that exists already."""
    image, ground, light = paint_place(scene.place, scene.camera)
    surfaces = project_surfaces(scene)
    image = _shaded(image, light, _shadows(scene), ground)
    _draw(scene, surfaces, image)
    return take(np.random.default_rng(scene.lens), image), label_people(scene, surfaces)


def _shadows(scene: Scene) -> np.ndarray:
    """(H/2, W/2) float32 factors: the shadows of everything on the ground, and the dark where soles touch it."""
    W = scene.camera.size[0]
    light = scene.place.light
    slope = light.direction / max(light.direction[1], 0.2)
    strength = 0.9 * light.key.mean() / (light.key.mean() + 0.6 * light.sky.mean())
    points = np.concatenate([np.zeros((0, 3)), *(thing.caster[0] for thing in scene.things)])
    starts = np.cumsum([0] + [len(thing.caster[0]) for thing in scene.things])
    triangles = [thing.caster[1] + start for thing, start in zip(scene.things, starts, strict=False)]
    caster = points, np.concatenate([np.zeros((0, 3), np.int64), *triangles])
    cast = _flattened(scene.camera, caster, slope, np.inf, 0.3 + light.softness * 0.006 * W)
    contact = _flattened(scene.camera, caster, np.array([0.0, 1.0, 0.0]), 0.09, 0.3 + 0.0035 * W)
    return (1 - np.float32(strength) * cast) * (1 - np.float32(0.55) * contact)


def _flattened(
    camera: Camera, caster: tuple[np.ndarray, np.ndarray], slope: np.ndarray, below: float, blur: float
) -> np.ndarray:
    """(H/2, W/2) float32 0…1: all surfaces lower than `below` pushed onto the ground along `slope`, then blurred."""
    points, triangles = caster
    half = ((camera.size[0] + 1) // 2, (camera.size[1] + 1) // 2)
    cast = np.zeros((half[1], half[0]), np.float32)
    if np.isfinite(below):
        triangles = triangles[of_all(points[:, 1] < below, triangles)]
    pixels, depth = camera.project(points - points[:, 1:2] * slope)
    # The sun looks at half of all triangles; one winding of a closed surface covers the same ground as both.
    triangles = triangles[of_all(depth > NEAREST, triangles) & (areas(pixels, triangles) > 0)]
    raster = rasterise(pixels / 2, np.ones(len(pixels)), triangles, half)
    cast.reshape(-1)[raster.pixels] = 1
    return cv2.GaussianBlur(cast, (0, 0), blur)


def _shaded(image: np.ndarray, light: np.ndarray, shadows: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32: the empty place under its light, shadows where its ground is seen."""
    H, W = ground.shape
    factor = cv2.resize(light, (W, H), interpolation=cv2.INTER_LINEAR)
    dark = cv2.resize(shadows, (W, H), interpolation=cv2.INTER_LINEAR)
    dark[ground == 0] = 1
    return cv2.multiply(image, cv2.merge([factor * dark] * 3), dtype=cv2.CV_32F)


def _draw(scene: Scene, surfaces: Surfaces, image: np.ndarray) -> None:
    """Everything solid onto the (H, W, 3) float32 image, in place, with smooth outlines."""
    raster, finer = surfaces.raster, surfaces.finer
    if not len(raster.pixels):
        return
    W, H = raster.size
    colours = _colours(surfaces, scene.place.light)
    if finer > 1:
        drawn = np.zeros((H * W, 4), np.float32)
        drawn[raster.pixels, :3], drawn[raster.pixels, 3] = colours, 1
        small = cv2.resize(drawn.reshape(H, W, 4), (W // finer, H // finer), interpolation=cv2.INTER_AREA)
        image *= 1 - small[..., 3:]
        image += small[..., :3]
        return
    image.reshape(-1, 3)[raster.pixels] = colours
    rows = slice(raster.pixels[0] // W, raster.pixels[-1] // W + 2)
    part = np.zeros((H, W), np.uint16)
    part.reshape(-1)[raster.pixels] = surfaces.part[raster.triangles]
    part, image = part[rows], image[rows]
    edge = np.zeros(part.shape, np.uint8)
    across, down = part[:, 1:] != part[:, :-1], part[1:] != part[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    cv2.copyTo(cv2.GaussianBlur(image, (3, 3), 0.75), edge, image)


def _colours(surfaces: Surfaces, light: Light) -> np.ndarray:
    """(N, 3) float32 0…255 of the raster's pixels."""
    attributes = interpolate(surfaces.raster, surfaces.points, surfaces.values, surfaces.triangles)  # (3, N)
    N = attributes.shape[1]
    columns = 1024  # OpenCV's maps may not be longer than 32767 on a side
    padded = np.zeros((3, -(-N // columns) * columns), np.float32)
    padded[:, :N] = attributes
    x, y, brightness = padded.reshape(3, -1, columns)
    whole = np.sqrt(light.key + light.sky)
    lit = cv2.merge([brightness * np.float32(share) for share in whole / whole.mean()])
    colour = cv2.multiply(cv2.remap(surfaces.atlas, x, y, cv2.INTER_LINEAR), lit, dtype=cv2.CV_32F)
    return np.minimum(colour, 255, out=colour).reshape(-1, 3)[:N]
