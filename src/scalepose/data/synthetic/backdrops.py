"""The empty place behind the people, as a camera sees it.

Ground and walls are flat, so each is one homography of its texture; light, haze and the loss of detail far away are
worked out on a coarse grid. Houses and trees far away are flat shapes. It knows nothing of people.
"""

from dataclasses import replace

import cv2
import numpy as np

from scalepose.data.synthetic.cameras import Camera
from scalepose.data.synthetic.places import FLOOR_METRES, Place
from scalepose.data.synthetic.textures import Colour, inks, noise, pick
from scalepose.data.synthetic.walls import BRICKS, WALL_TEXELS, WALLS

COARSE = 8  # pixels a cell of the grid on which light is worked out
_NEAR, _FAR = 0.3, 100.0  # metres of depth between which surfaces are drawn


def paint_place(place: Place, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 RGB of the empty place; (H, W) uint8, 255 where the ground is seen; (h, w) float32, coarse
    factors of light."""
    W, H = camera.size
    if place.blurred:  # half as fine, as when the people are in focus
        half = Camera(((W + 1) // 2, (H + 1) // 2), camera.focal / 2, camera.height, camera.pitch, camera.roll)
        image, seen, light = paint_place(replace(place, blurred=False), half)
        return cv2.resize(image, (W, H)), cv2.resize(seen, (W, H), interpolation=cv2.INTER_NEAREST), light
    image, seen = np.empty((H, W, 3), np.uint8), np.zeros((H, W), np.uint8)
    small = Camera((-(-W // COARSE), -(-H // COARSE)), camera.focal / COARSE, camera.height, camera.pitch, camera.roll)
    dx, dy, dz = small.rays()
    ahead = np.maximum(-dz, np.float32(1e-3))
    light = np.ones(dy.shape, np.float32)
    if place.kind == "photo":
        _fill_with(place.photo, image)
        seen[cv2.resize(dy, (W, H)) < -0.02] = 255
        return image, seen, light
    to_ground = np.where(dy < -1e-5, np.float32(camera.height) / np.maximum(-dy, np.float32(1e-5)), np.float32(1e6))
    if place.kind == "room":
        image[:] = 224
    else:
        _paint_sky(place, dx, dy, ahead, image)
        _paint_far(place, camera, image)
    _paint_ground(place, camera, dx, ahead, to_ground, image, seen)
    if place.kind == "open":
        return image, seen, light
    side, back, height = place.side, place.back, place.height
    texel = 1 / WALL_TEXELS
    walls = [(np.array([-side, height, -back]), np.array([texel, 0, 0]), 2 * side)]
    if place.kind == "room":
        walls.append((np.array([-side, height, 0.0]), np.array([0, 0, -texel]), back))
        walls.append((np.array([side, height, -back]), np.array([0, 0, texel]), back))
        light = _room_light(place, camera, dx, dy, ahead, to_ground)
    for corner, along, length in walls:
        rows, columns = place.wall.shape[:2]
        span = min(length * WALL_TEXELS, columns)
        _paint_plane(camera, place.wall, corner, along, np.array([0, -texel, 0]), (span, rows), image, seen)
    return image, seen, light


def _fill_with(photo: np.ndarray | None, image: np.ndarray) -> None:
    """The middle of the photo, as large as fits."""
    assert photo is not None
    H, W = image.shape[:2]
    h, w = photo.shape[:2]
    scale = max(W / w, H / h)
    wide, high = max(1, min(w, round(W / scale))), max(1, min(h, round(H / scale)))
    x, y = (w - wide) // 2, (h - high) // 2
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image[:] = cv2.resize(photo[y : y + high, x : x + wide], (W, H), interpolation=how)


def _paint_plane(
    camera: Camera,
    texture: np.ndarray,
    corner: np.ndarray,
    across: np.ndarray,
    down: np.ndarray,
    size: tuple[float, float],
    image: np.ndarray,
    seen: np.ndarray,
) -> None:
    """A rectangle of `size` texels from `corner`; across, down: (3,) metres a texel."""
    mask = _outline(camera, corner + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size @ np.stack([across, down]))
    if mask is None:
        return
    _warped(camera, texture, corner, across, down, cv2.BORDER_REPLICATE, image, mask)
    seen[mask > 0] = 0


def _warped(
    camera: Camera,
    texture: np.ndarray,
    corner: np.ndarray,
    across: np.ndarray,
    down: np.ndarray,
    border: int,
    image: np.ndarray,
    mask: np.ndarray,
) -> None:
    x, y, w, h = cv2.boundingRect(mask)
    texels = np.stack([np.append(across, 0), np.append(down, 0), np.append(corner, 1)], axis=1)
    # Centres of pixels and texels are at halves here and at whole numbers in OpenCV.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    move = np.array([[1, 0, -0.5 - x], [0, 1, -0.5 - y], [0, 0, 1]])
    matrix = move @ camera.matrix @ texels @ half
    part = cv2.warpPerspective(texture, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=border)
    cv2.copyTo(part, mask[y : y + h, x : x + w], image[y : y + h, x : x + w])


def _outline(camera: Camera, polygon: np.ndarray) -> np.ndarray | None:
    """(H, W) uint8: 255 where a flat polygon (M, 3) in front of the camera is seen; None where nowhere."""
    _, depth = camera.project(polygon)
    kept = []
    for i in range(len(polygon)):
        a, b, da, db = polygon[i - 1], polygon[i], depth[i - 1] - _NEAR, depth[i] - _NEAR
        if (da > 0) != (db > 0):
            kept.append(a + (b - a) * da / (da - db))
        if db > 0:
            kept.append(b)
    if len(kept) < 3:
        return None
    pixels, _ = camera.project(np.array(kept))
    W, H = camera.size
    mask = np.zeros((H, W), np.uint8)
    cv2.fillConvexPoly(mask, np.round(np.clip(pixels, -2e4, 2e4) * 16 - 8).astype(np.int32), 255, cv2.LINE_8, 4)
    return mask if mask.any() else None


def _paint_ground(
    place: Place,
    camera: Camera,
    dx: np.ndarray,
    ahead: np.ndarray,
    t: np.ndarray,
    image: np.ndarray,
    seen: np.ndarray,
) -> None:
    """Ground where rays meet it after `t`; far away its mean colour, then haze."""
    W, H = camera.size
    room = place.kind == "room"
    if room:
        s, b = place.side, place.back
        mask = _outline(camera, np.array([(-s, 0, 0), (s, 0, 0), (s, 0, -b), (-s, 0, -b)], float))
    else:
        flat = cv2.resize(t, (W, H), interpolation=cv2.INTER_LINEAR)
        mask = (flat < 2 * _FAR).astype(np.uint8) * 255
    if mask is None or not mask.any():
        return
    texel = FLOOR_METRES / len(place.ground)
    near = image.copy()
    across, away = np.array([texel, 0, 0]), np.array([0, 0, -texel])
    _warped(camera, place.ground, np.zeros(3), across, away, cv2.BORDER_WRAP, near, mask)
    # Texels that a pixel covers along the line of sight.
    spread = t * t * np.float32(0.35 / (texel * camera.focal * max(camera.height, 0.3)))
    detail = np.clip(np.float32(1.6) - spread, 0, 1)
    haze = np.clip(t * np.float32(1 / 220), 0, 0.8) if not room else np.zeros_like(t)
    mean = place.ground.reshape(-1, 3).mean(axis=0)
    plain = mean * (1 - haze[..., None]) + place.sky[1] * haze[..., None]
    plain = cv2.resize(np.clip(plain, 0, 255).astype(np.uint8), (W, H), interpolation=cv2.INTER_LINEAR)
    share = cv2.resize(detail * (1 - haze), (W, H), interpolation=cv2.INTER_LINEAR)
    y, h = cv2.boundingRect(mask)[1::2]
    rows = slice(y, y + h)
    mixed = cv2.blendLinear(near[rows], plain[rows], share[rows], 1 - share[rows])
    cv2.copyTo(mixed, mask[rows], image[rows])
    seen[mask > 0] = 255


def _room_light(
    place: Place, camera: Camera, dx: np.ndarray, dy: np.ndarray, ahead: np.ndarray, to_ground: np.ndarray
) -> np.ndarray:
    """(h, w) float32: corners are a little darker than the middle of a wall, and side walls than the one behind."""
    side, height = np.float32(place.side), np.float32(place.height)
    to_back = np.float32(place.back) / ahead
    to_side = side / np.maximum(np.abs(dx), np.float32(1e-4))
    to_top = np.where(dy > 1e-5, np.float32(place.height - camera.height) / np.maximum(dy, np.float32(1e-5)), 1e6)
    t = np.minimum(np.minimum(to_back, to_side), np.minimum(to_ground, to_top))
    x, y, z = np.abs(dx) * t, np.float32(camera.height) + dy * t, ahead * t
    gaps = np.sort(np.stack([side - x, np.float32(place.back) - z, y, height - y]), axis=0)[1]
    light = 1 - np.float32(0.22) * np.exp(np.maximum(gaps, 0) * np.float32(-3))
    on_side = (to_side < to_back) & (to_side < to_ground) & (to_side < to_top)
    return light * np.where(on_side, np.where(dx > 0, np.float32(0.86), np.float32(0.94)), np.float32(1))


def _paint_sky(place: Place, dx: np.ndarray, dy: np.ndarray, ahead: np.ndarray, image: np.ndarray) -> None:
    """From the horizon's colour to the top's, with clouds."""
    top, horizon, clouds = place.sky
    rise = np.sqrt(np.clip(dy * np.float32(1.5), 0, 1))[..., None]
    colour = (horizon + (top - horizon) * rise).astype(np.float32)
    if clouds > 0.25:
        t = 60 / np.maximum(dy, np.float32(0.02))
        u, v = (dx * t + np.float32(place.far % 251)) % 256, (ahead * t) % 256
        field = cv2.remap(noise(8), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        cover = np.clip(field + np.float32(1.6 * clouds - 1.2), 0, 1) * np.clip(dy * np.float32(8), 0, 0.8)
        colour += (np.float32(247) - colour) * cover[..., None]
    H, W = image.shape[:2]
    image[:] = cv2.resize(np.clip(colour, 0, 255).astype(np.uint8), (W, H), interpolation=cv2.INTER_CUBIC)


def _paint_far(place: Place, camera: Camera, image: np.ndarray) -> None:
    """Hills, houses and trees on the horizon, from far to near."""
    rng = np.random.default_rng(place.far)
    shapes: list[tuple[np.ndarray, np.ndarray]] = []  # corners (M, 3), colour

    def add(corners: np.ndarray, colour: np.ndarray, distance: float) -> None:
        """corners: (M, 2) x, y at that distance."""
        haze = min(0.75, distance / 260)
        points = np.concatenate([corners, np.full((len(corners), 1), -distance)], axis=1)
        shapes.append((points, colour * (1 - haze) + place.sky[1] * haze))

    x = np.linspace(-320, 320, 40)
    crest = 6 + 9 * rng.random() + np.interp(x, np.linspace(-320, 320, 14), rng.uniform(0, 26, 14))
    outline = np.concatenate([[(-320.0, 0.0)], np.stack([x, crest], axis=1), [(320.0, 0.0)]])
    add(outline, pick(rng, ((96, 122, 92), (118, 132, 140), (104, 118, 84)), 6), 200)
    town = rng.random() < 0.45
    nearest = max(place.back + 12, 25)
    half = 1.1 * camera.size[0] / 2 / camera.focal  # of the view, at a distance of one
    for distance in np.sort(rng.uniform(nearest, nearest + 85, size=7))[::-1].tolist():
        middle = float(rng.uniform(-half, half) * distance)
        if town and rng.random() < 0.6:
            _add_house(rng, add, middle, distance)
        else:
            _add_tree(rng, add, middle, distance)
    points = np.concatenate([corners for corners, _ in shapes])
    pixels, _ = camera.project(points)
    pixels = np.round(np.clip(pixels, -1e4, 1e4) * 16 - 8).astype(np.int32)
    start = 0
    for (corners, _), colour in zip(shapes, inks(np.array([colour for _, colour in shapes])), strict=True):
        cv2.fillPoly(image, [pixels[start : start + len(corners)]], colour, cv2.LINE_8, 4)
        start += len(corners)


_BOX = np.array([(0, 0), (0, 1), (1, 1), (1, 0)], float)
_CIRCLE = np.stack([np.cos(np.arange(9) * 0.7), np.sin(np.arange(9) * 0.7)], axis=1)
_GREENS: tuple[Colour, ...] = ((74, 104, 56), (92, 118, 66), (60, 88, 54), (116, 122, 60))


def _add_house(rng: np.random.Generator, add, left: float, distance: float) -> None:
    wide, high = float(rng.uniform(6, 14)), float(rng.uniform(5, 22))
    colour = pick(rng, BRICKS + WALLS, 8) * 0.92
    add(_BOX * (wide, high) + (left, 0), colour, distance)
    for y in np.arange(1.5, high - 1.5, 3.6):
        for x in np.arange(left + 1, left + wide - 1.5, 3.2):
            add(_BOX * (1.6, 1.8) + (x, y), colour * 0.6, distance)


def _add_tree(rng: np.random.Generator, add, middle: float, distance: float) -> None:
    size = float(rng.uniform(2.0, 4.5))
    green = pick(rng, _GREENS, 6)
    add(_BOX * (0.18 * size, size) + (middle - 0.09 * size, 0), np.array((92.0, 74, 56)), distance)
    for tone in (0.82, 0.82, 0.95, 0.95, 1.08, 1.08):  # darker below
        x, y = rng.normal(size=2) * size * (0.36, 0.26)
        crown = _CIRCLE * size * rng.uniform(0.3, 0.55) + (middle + x, size * (0.45 + 0.9 * tone) + y)
        add(crown, green * tone, distance)
