"""The empty place behind the people, as a camera sees it.

Every pixel's ray is followed to the ground, to a wall or into the sky, and looks up a texture there; houses and trees
far away are drawn as flat shapes. It knows nothing of people.
"""

import cv2
import numpy as np

from scalepose.data.synthetic.cameras import Camera
from scalepose.data.synthetic.places import FLOOR, FLOOR_METRES, Place
from scalepose.data.synthetic.textures import ink, noise, pick
from scalepose.data.synthetic.walls import BRICKS, WALL_TEXELS, WALLS


def paint_place(place: Place, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """((H, W, 3) float32 RGB 0…255 of the empty place, (H, W) bool: where the ground is seen)."""
    dx, dy, dz = camera.rays()
    ahead = np.maximum(-dz, np.float32(1e-3))
    with np.errstate(divide="ignore"):
        to_ground = np.where(dy < -1e-5, np.float32(-camera.height) / dy, _NEVER)
    if place.kind == "room":
        return _paint_room(place, camera, dx, dy, ahead, to_ground)
    below = to_ground < 400
    ground_rows, sky_rows = _rows(below), _rows(~below)
    image = np.empty((*dx.shape, 3), np.float32)
    image[sky_rows] = _sky_colours(place, dx[sky_rows], dy[sky_rows], ahead[sky_rows])
    image[ground_rows] = np.where(
        below[ground_rows][..., None],
        _ground_colours(place, camera, dx[ground_rows], ahead[ground_rows], to_ground[ground_rows]),
        image[ground_rows],
    )
    _paint_far(place, camera, image)
    if place.kind == "street":
        to_back = np.float32(place.back) / ahead
        rise = np.float32(camera.height) + to_back * dy
        wall = (to_back < to_ground) & (rise < place.height)
        below &= ~wall
        rows = _rows(wall)
        if rows.stop > rows.start:
            u = (to_back[rows] * dx[rows] + np.float32(place.side)) * np.float32(WALL_TEXELS)
            v = (np.float32(place.height) - rise[rows]) * np.float32(WALL_TEXELS)
            front = cv2.remap(place.wall, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            np.copyto(image[rows], front, where=wall[rows][..., None])
    return image, below


_NEVER = np.float32(1e6)


def _rows(mask: np.ndarray) -> slice:
    """The rows of a (H, W) mask from the first to the last that hold anything."""
    rows = np.flatnonzero(mask.any(axis=1))
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)


def _wrapped(value: np.ndarray, period: int) -> np.ndarray:
    """value modulo period, float32; many times faster than NumPy's."""
    return value - np.floor(value * np.float32(1 / period)) * np.float32(period)


def _ground_colours(place: Place, camera: Camera, dx: np.ndarray, ahead: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(h, W, 3) float32: the ground where rays meet it after `t`; far away its mean colour, then haze."""
    if not t.size:
        return np.zeros((*t.shape, 3), np.float32)
    scale = np.float32(FLOOR / FLOOR_METRES)
    u, v = _wrapped(dx * t * scale, FLOOR), _wrapped(ahead * t * scale, FLOOR)
    near = cv2.remap(place.ground, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    # Texels that a pixel covers along the line of sight.
    spread = t * t * np.float32(scale * 0.35 / (camera.focal * max(camera.height, 0.3)))
    detail = np.clip(np.float32(1.6) - spread, 0, 1)
    haze = np.clip(t * np.float32(1 / 220), 0, 0.8) if place.kind != "room" else np.zeros_like(t)
    clear = 1 - haze
    out = np.empty((*t.shape, 3), np.float32)
    for c in range(3):
        mean = np.float32(place.ground[..., c].mean())
        out[..., c] = (near[..., c] * detail + mean * (1 - detail)) * clear + np.float32(place.sky[1][c]) * haze
    return out


def _paint_room(
    place: Place, camera: Camera, dx: np.ndarray, dy: np.ndarray, ahead: np.ndarray, to_ground: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    side, height = np.float32(place.side), np.float32(place.height)
    to_back = np.float32(place.back) / ahead
    to_side = side / np.maximum(np.abs(dx), np.float32(1e-4))
    with np.errstate(divide="ignore"):
        to_ceiling = np.where(dy > 1e-5, np.float32(place.height - camera.height) / dy, _NEVER)
    t = np.minimum(to_back, to_side)
    ground, ceiling = to_ground < t, to_ceiling < t
    on_side = to_side < to_back
    y, z = np.float32(camera.height) + dy * t, ahead * t
    u = np.where(on_side, _wrapped(z, max(1, int(place.side * 2))), dx * t + side)
    texel = np.float32(WALL_TEXELS)
    image = cv2.remap(place.wall, u * texel, (height - y) * texel, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # Corners are a little darker than the middle of a wall, and side walls than the one behind.
    corner = np.where(on_side, np.float32(place.back) - z, side - np.abs(dx) * t)
    corner = np.minimum(corner, np.minimum(y, height - y))
    shade = 1 - np.float32(0.22) * np.exp(np.maximum(corner, 0) * np.float32(-3))
    shade *= np.where(on_side, np.where(dx > 0, np.float32(0.86), np.float32(0.94)), np.float32(1))
    image = image * shade[..., None]
    np.copyto(image, np.float32(224), where=ceiling[..., None])
    rows = _rows(ground)
    floor = _ground_colours(place, camera, dx[rows], ahead[rows], np.minimum(to_ground[rows], t[rows]))
    gap = np.minimum(side - np.abs(dx[rows]) * to_ground[rows], np.float32(place.back) - ahead[rows] * to_ground[rows])
    floor *= (1 - np.float32(0.2) * np.exp(np.maximum(gap, 0) * np.float32(-3)))[..., None]
    np.copyto(image[rows], floor, where=ground[rows][..., None])
    return image, ground


def _sky_colours(place: Place, dx: np.ndarray, dy: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """(h, W, 3) float32: from the horizon's colour to the top's, with clouds."""
    top, horizon, clouds = place.sky
    if not dx.size:
        return np.zeros((*dx.shape, 3), np.float32)
    rise = np.sqrt(np.clip(dy * np.float32(1.5), 0, 1))
    cover = np.zeros_like(dx)
    if clouds > 0.25:
        t = 60 / np.maximum(dy, np.float32(0.02))
        u, v = _wrapped(dx * t + np.float32(place.far % 251), 256), _wrapped(ahead * t, 256)
        field = cv2.remap(noise(8), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        cover = np.clip(field + np.float32(1.6 * clouds - 1.2), 0, 1) * np.clip(dy * np.float32(8), 0, 0.8)
    out = np.empty((*dx.shape, 3), np.float32)
    for c in range(3):
        blue = np.float32(horizon[c]) + np.float32(top[c] - horizon[c]) * rise
        out[..., c] = blue + (np.float32(247) - blue) * cover
    return out


def _paint_far(place: Place, camera: Camera, image: np.ndarray) -> None:
    """Hills, houses and trees on the horizon, from far to near."""
    rng = np.random.default_rng(place.far)
    horizon = place.sky[1]

    def polygons(corners: np.ndarray, colours: np.ndarray, distance: float) -> None:
        """corners: (N, M, 2) x, y at that distance; colours: (3,) or (N, 3)."""
        points = np.concatenate([corners, np.full((*corners.shape[:2], 1), -distance)], axis=2)
        pixels, depth = camera.project(points)
        if not (depth > 1).all() or np.abs(pixels).max(initial=0) > 20000:
            return
        haze = min(0.75, distance / 260)
        shades = np.broadcast_to(colours * (1 - haze) + horizon * haze, (len(corners), 3))
        for shape, shade in zip(np.round(pixels * 16).astype(np.int32), shades, strict=True):
            cv2.fillPoly(image, [shape], ink(shade), cv2.LINE_AA, 4)

    def rectangles(left: np.ndarray, bottom: np.ndarray, wide: float, high: float) -> np.ndarray:
        """(N, 4, 2) corners."""
        corner = np.stack([left, bottom], axis=1)[:, None]
        return corner + np.array([(0, 0), (0, high), (wide, high), (wide, 0)])

    x = np.linspace(-320, 320, 60)
    crest = 6 + 9 * rng.random() + np.interp(x, np.linspace(-320, 320, 14), rng.uniform(0, 26, 14))
    outline = np.concatenate([[(-320.0, 0.0)], np.stack([x, crest], axis=1), [(320.0, 0.0)]])
    polygons(outline[None], pick(rng, ((96, 122, 92), (118, 132, 140), (104, 118, 84)), 6), 200)
    town = rng.random() < 0.45
    nearest = max(place.back + 12, 25)
    for distance in np.sort(rng.uniform(nearest, nearest + 85, size=16))[::-1]:
        x0 = float(rng.uniform(-0.9, 0.9) * distance)
        if town and rng.random() < 0.6:
            wide, high = float(rng.uniform(6, 14)), float(rng.uniform(5, 22))
            colour = pick(rng, BRICKS + WALLS, 8) * 0.92
            polygons(rectangles(np.array([x0]), np.zeros(1), wide, high), colour, distance)
            columns, rows = np.meshgrid(np.arange(x0 + 1, x0 + wide - 1.5, 2.4), np.arange(1.5, high - 1.5, 3.0))
            polygons(rectangles(columns.ravel(), rows.ravel(), 1.2, 1.5), colour * 0.6, distance)
        else:
            size = float(rng.uniform(2.0, 4.5))
            green = pick(rng, ((74, 104, 56), (92, 118, 66), (60, 88, 54), (116, 122, 60)), 6)
            trunk = size * 0.09
            bark = np.array((92.0, 74, 56))
            polygons(rectangles(np.array([x0 - trunk]), np.zeros(1), 2 * trunk, size), bark, distance)
            turn = np.linspace(0, 2 * np.pi, 12)[:-1]
            circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
            tone = np.repeat((0.82, 0.95, 1.08), 4)[:, None]  # darker below
            middle = rng.normal(size=(12, 2)) * size * (0.36, 0.26) + np.concatenate(
                [tone * 0 + x0, size * (0.45 + 0.9 * tone)], axis=1
            )
            crowns = middle[:, None] + size * rng.uniform(0.28, 0.5, size=(12, 1, 1)) * circle
            polygons(crowns, green * tone, distance)
