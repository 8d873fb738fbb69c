"""Where people are: grounds, walls, rooms, skies and what stands far away, painted behind the people.

Every pixel's ray is followed to the ground or a wall and looks up a tile of floor or wall there. It knows nothing of
people.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scalepose.data.synthetic.cameras import Camera, Light
from scalepose.data.synthetic.textures import Colour, noise, pick

FLOOR_METRES = 2.4  # of ground on one tile
WALL_TEXELS = 44.0  # a metre
FLOOR = 256  # texels on a side of a floor tile

_WALLS: tuple[Colour, ...] = (
    (232, 226, 214), (214, 220, 222), (196, 206, 200), (222, 206, 184), (176, 190, 204), (206, 186, 178),
    (240, 238, 232), (150, 160, 158), (184, 160, 132),
)  # fmt: skip
_BRICKS: tuple[Colour, ...] = ((158, 92, 70), (176, 120, 92), (190, 178, 160), (140, 132, 124), (204, 196, 182))


@dataclass(frozen=True, repr=False, eq=False)
class Place:
    """kind: room, street or open. ground: (FLOOR, FLOOR, 3) uint8 tile. back: metres to a wall behind everybody, with
    its `height` and picture `wall`. side: metres to the side walls of a room. sky: colours at the top and at the
    horizon, cloudiness 0…1. far: seed of what stands on the horizon."""

    kind: str
    ground: np.ndarray
    back: float
    height: float
    side: float
    wall: np.ndarray
    sky: tuple[np.ndarray, np.ndarray, float]
    far: int
    light: Light


def sample_place(rng: np.random.Generator, depth: float, width: float, headroom: float) -> Place:
    """A place with room for people up to `depth` metres away and `width` metres to either side, under a ceiling at
    least `headroom` high."""
    kind = str(rng.choice(["room", "street", "open"], p=[0.34, 0.28, 0.38]))
    if kind == "room" and (depth > 14 or headroom > 4.2):
        kind = "street"
    back = depth + float(rng.uniform(0.8, 3.0) if kind == "room" else rng.uniform(1.5, 7.0))
    height = max(headroom, float(rng.uniform(2.5, 3.2))) if kind == "room" else float(rng.uniform(2.6, 9.0))
    side = width + float(rng.uniform(0.7, 2.5))
    if kind == "street":
        side = (width + 1) * back / depth + 6  # what the camera sees of it, and a little more
    span = side * 2
    wall = _room_wall(rng, span, height) if kind == "room" else _facade(rng, span, height)
    return Place(
        kind, _ground(rng, kind), back, height, side, wall, _sky(rng), int(rng.integers(2**31)), _light(rng, kind)
    )


def _light(rng: np.random.Generator, kind: str) -> Light:
    azimuth = np.radians(rng.uniform(-150, 150))
    elevation = np.radians(rng.uniform(55, 80) if kind == "room" else rng.uniform(22, 68))
    direction = np.array([
        np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation),
    ])  # fmt: skip
    if kind == "room":
        warm = rng.uniform(-0.05, 0.09)
        key = 0.42 * np.array([1 + warm, 1.0, 1 - warm])
        return Light(direction, key, np.full(3, 0.5), np.array([0.34, 0.32, 0.29]), 0.8)
    sunny = float(rng.beta(1.1, 0.8))
    low = np.clip((0.75 - elevation) / 0.5, 0, 1)
    key = (0.16 + 0.56 * sunny) * np.array([1.0 + 0.08 * low, 0.97 - 0.05 * low, 0.9 - 0.22 * low])
    sky = (0.62 - 0.2 * sunny) * np.array([0.94, 1.0, 1.08])
    return Light(direction, key, sky, np.array([0.3, 0.29, 0.26]), 1 - 0.85 * sunny)


def _sky(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    top = pick(rng, ((76, 134, 206), (96, 150, 214), (130, 168, 210), (168, 182, 198), (120, 136, 176)), 6)
    horizon = pick(rng, ((206, 222, 236), (222, 228, 232), (236, 220, 196), (196, 210, 224)), 6)
    return top, horizon, float(rng.uniform(0, 1))


def _ground(rng: np.random.Generator, kind: str) -> np.ndarray:
    indoor, outdoor = ("planks", "tiles", "carpet", "plain"), ("grass", "asphalt", "paving", "sand", "snow", "court")
    if kind == "room":
        look = str(rng.choice(indoor, p=[0.4, 0.25, 0.2, 0.15]))
    elif kind == "street":
        look = str(rng.choice(["asphalt", "paving", "tiles"]))
    else:
        look = str(rng.choice(outdoor, p=[0.42, 0.14, 0.1, 0.18, 0.06, 0.1]))
    base: dict[str, tuple[Colour, ...]] = {
        "planks": ((166, 122, 82), (190, 150, 106), (124, 86, 58), (204, 178, 142)),
        "tiles": ((206, 202, 194), (170, 172, 174), (190, 164, 136), (222, 218, 210)),
        "carpet": ((122, 110, 104), (92, 104, 124), (150, 138, 118), (128, 74, 70)),
        "plain": ((178, 178, 174), (146, 150, 148), (196, 188, 172)),
        "grass": ((98, 132, 62), (122, 148, 78), (86, 116, 60), (146, 150, 88)),
        "asphalt": ((112, 112, 114), (134, 132, 130), (92, 94, 98)),
        "paving": ((176, 168, 156), (152, 150, 148), (186, 160, 136)),
        "sand": ((218, 198, 160), (206, 184, 146)),
        "snow": ((232, 236, 242),),
        "court": ((84, 128, 106), (172, 96, 74), (78, 110, 152)),
    }
    rough = {"grass": 0.16, "asphalt": 0.07, "sand": 0.05, "snow": 0.02, "carpet": 0.05}.get(look, 0.035)
    y = int(rng.integers(0, 256))
    grain = 0.6 * np.roll(noise(64), y, axis=0) + 0.4 * np.roll(noise(8), y, axis=1)
    tile = pick(rng, base[look], 5) * (1 + rough * grain)[..., None]
    if look == "grass":
        tile += noise(32)[..., None] * (6, 2, 5)
    if look == "planks":
        rows = 16
        tone = 1 + 0.09 * rng.normal(size=rows)
        tile *= np.repeat(tone, FLOOR // rows)[None, :, None]
        tile *= 1 + 0.05 * np.roll(noise(8)[:, ::-1], y, axis=0)[np.arange(256) // 12][..., None]
        tile[:, :: FLOOR // rows] *= 0.72
        for i in range(rows):
            tile[int(rng.integers(FLOOR)), i * FLOOR // rows : (i + 1) * FLOOR // rows] *= 0.7
    if look in ("tiles", "paving"):
        step = int(rng.choice([32, 64]))
        tone = 1 + (0.03 if look == "tiles" else 0.08) * rng.normal(size=(FLOOR // step, FLOOR // step))
        tile *= np.kron(tone, np.ones((step, step)))[..., None]
        gap = 0.8 if rng.random() < 0.6 else 1.12
        for offset in range(2):
            tile[offset::step] *= gap
            tile[:, offset::step] *= gap
    if look == "court":
        tile[:6] = tile[:, :6] = (236, 236, 230)
    return np.clip(tile, 0, 255).astype(np.uint8)


def _room_wall(rng: np.random.Generator, span: float, height: float) -> np.ndarray:
    """(rows, columns, 3): a wall with a skirting board, windows, pictures, shelves or a door."""
    t = WALL_TEXELS
    rows, columns = int(height * t), int(span * t)
    colour = pick(rng, _WALLS, 6)
    wall = np.broadcast_to(colour, (rows, columns, 3)).astype(np.uint8).copy()
    if rng.random() < 0.25:
        step = int(rng.integers(14, 40))
        for x in range(0, columns, step):
            cv2.rectangle(wall, (x, 0), (x + step // 2, rows), _ink(colour * 0.95), -1)
    if rng.random() < 0.3:
        cv2.rectangle(wall, (0, rows - int(0.9 * t)), (columns, rows), _ink(pick(rng, _WALLS) * 0.9), -1)
    x = float(rng.uniform(0.1, 1.0))
    while x < span - 0.9:
        what = rng.choice(["window", "picture", "door", "shelf", "nothing"], p=[0.25, 0.3, 0.12, 0.13, 0.2])
        wide = float(rng.uniform(0.5, 1.6))
        left, right = int(x * t), int(min(x + wide, span - 0.1) * t)
        if what == "window":
            top, bottom = rows - int(2.2 * t), rows - int(0.95 * t)
            cv2.rectangle(wall, (left - 5, top - 5), (right + 5, bottom + 5), _ink(colour * 0.5 + 120), -1)
            glass = np.linspace(0, 1, max(2, bottom - top))[:, None, None]
            view = (1 - glass) * (196, 220, 240) + glass * (218, 226, 214)
            wall[top : top + len(view), left:right] = view
            cv2.line(wall, ((left + right) // 2, top), ((left + right) // 2, bottom), (236, 236, 232), 4)
            cv2.line(wall, (left, (top + bottom) // 2), (right, (top + bottom) // 2), (236, 236, 232), 3)
        elif what == "picture":
            top = rows - int(rng.uniform(1.8, 2.1) * t)
            bottom = top + int(rng.uniform(0.35, 0.7) * t)
            cv2.rectangle(wall, (left + 3, top + 4), (right + 3, bottom + 4), _ink(colour * 0.82), -1)
            cv2.rectangle(wall, (left, top), (right, bottom), _ink(pick(rng, ((40, 36, 34), (200, 180, 140), (236, 236, 232)))), -1)
            inner = wall[top + 4 : bottom - 4, left + 4 : right - 4]
            a, b = rng.uniform(60, 230, size=(2, 3))
            clouds = np.clip(0.5 + 0.4 * noise(8)[: inner.shape[0], : inner.shape[1]], 0, 1)[..., None]
            inner[: clouds.shape[0], : clouds.shape[1]] = a * clouds + b * (1 - clouds)
        elif what == "door":
            top, right = rows - int(2.05 * t), left + int(0.9 * t)
            wood = pick(rng, ((236, 234, 228), (150, 106, 70), (110, 76, 52)))
            cv2.rectangle(wall, (left, top), (right, rows), _ink(wood), -1)
            cv2.rectangle(wall, (left, top), (right, rows), _ink(wood * 0.7), 3)
            for low, high in ((1.85, 1.15), (0.95, 0.2)):
                cv2.rectangle(wall, (left + 9, rows - int(low * t)), (right - 9, rows - int(high * t)), _ink(wood * 0.85), 2)
            cv2.circle(wall, (right - 7, rows - int(1.0 * t)), 3, (90, 84, 70), -1, cv2.LINE_AA)
        elif what == "shelf":
            wood = pick(rng, ((150, 106, 70), (206, 190, 164), (90, 70, 56)))
            top = rows - int(rng.uniform(1.2, 2.1) * t)
            cv2.rectangle(wall, (left, top), (right, rows), _ink(wood * 0.55), -1)
            for level in range(top, rows - 8, int(0.36 * t)):
                book = left + 3
                while book < right - 8:
                    w, h = int(rng.integers(2, 7)), int(rng.integers(9, 17))
                    cv2.rectangle(wall, (book, level + 19 - h), (book + w, level + 19), _ink(rng.uniform(40, 225, 3)), -1)
                    book += w + 1
                cv2.rectangle(wall, (left, level + 19), (right, level + 21), _ink(wood), -1)
        x += wide + float(rng.uniform(0.3, 1.6))
    cv2.rectangle(wall, (0, rows - int(0.1 * t)), (columns, rows), _ink(np.clip(colour * 1.08, 0, 255)), -1)
    cv2.line(wall, (0, rows - int(0.1 * t)), (columns, rows - int(0.1 * t)), _ink(colour * 0.75), 1)
    return wall


def _facade(rng: np.random.Generator, span: float, height: float) -> np.ndarray:
    """(rows, columns, 3): the front of houses, or a plain wall, hedge or fence where it is low."""
    t = WALL_TEXELS
    rows, columns = int(height * t), int(span * t)
    wall = np.zeros((rows, columns, 3), np.uint8)
    tall = height > 4
    x = 0
    while x < columns:
        house = int(rng.uniform(5, 12) * t)
        colour = pick(rng, _BRICKS + _WALLS, 8)
        part = wall[:, x : x + house]
        part[:] = colour.astype(np.uint8)
        if rng.random() < 0.5:  # courses of bricks
            part[::6] = (colour * 0.86).astype(np.uint8)
            for row in range(0, rows, 12):
                part[row : row + 6, ::14] = (colour * 0.86).astype(np.uint8)
                part[row + 6 : row + 12, 7::14] = (colour * 0.86).astype(np.uint8)
        frame, glass = _ink(np.clip(colour * 0.6 + 90, 0, 255)), pick(rng, ((84, 104, 122), (60, 72, 84), (130, 150, 164)))
        storey, bay = int(3.0 * t), int(rng.uniform(1.6, 2.8) * t)
        for bottom in range(rows - int(0.9 * t), 0, -storey):
            for left in range(x + int(0.5 * t), x + house - int(1.2 * t), bay):
                if rng.random() < (0.85 if tall else 0.35):
                    right, top = left + int(0.95 * t), bottom - int(1.45 * t)
                    cv2.rectangle(wall, (left - 4, top - 4), (right + 4, bottom + 4), frame, -1)
                    cv2.rectangle(wall, (left, top), (right, bottom), _ink(glass * rng.uniform(0.75, 1.25)), -1)
                    cv2.line(wall, ((left + right) // 2, top), ((left + right) // 2, bottom), frame, 3)
        if rng.random() < 0.7:
            left = x + int(rng.uniform(0.2, 0.7) * house)
            wood = pick(rng, ((96, 60, 44), (44, 62, 84), (60, 84, 64), (60, 58, 58)))
            cv2.rectangle(wall, (left, rows - int(2.2 * t)), (left + int(1.1 * t), rows), _ink(wood), -1)
            cv2.rectangle(wall, (left, rows - int(2.2 * t)), (left + int(1.1 * t), rows), frame, 4)
        cv2.rectangle(wall, (x, rows - int(0.35 * t)), (x + house, rows), _ink(colour * 0.72), -1)
        cv2.line(wall, (x, 0), (x, rows), _ink(colour * 0.6), 3)
        x += house
    return wall


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
        rows = _rows(wall)
        u = (to_back[rows] * dx[rows] + np.float32(place.side)) * np.float32(WALL_TEXELS)
        v = (np.float32(place.height) - rise[rows]) * np.float32(WALL_TEXELS)
        np.copyto(image[rows], cv2.remap(place.wall, u, v, cv2.INTER_LINEAR), where=wall[rows][..., None])
        below &= ~wall
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

    def polygon(corners: list[tuple[float, float, float]], colour: np.ndarray, distance: float) -> None:
        pixels, depth = camera.project(np.array(corners))
        if (depth > 1).all() and np.abs(pixels).max() < 20000:
            haze = min(0.75, distance / 260)
            shade = colour * (1 - haze) + horizon * haze
            cv2.fillPoly(image, [np.round(pixels * 16).astype(np.int32)], _ink(shade), cv2.LINE_AA, 4)

    hills = pick(rng, ((96, 122, 92), (118, 132, 140), (104, 118, 84)), 6)
    x = np.linspace(-320, 320, 60)
    crest = 6 + 9 * rng.random() + np.interp(x, np.linspace(-320, 320, 14), rng.uniform(0, 26, 14))
    outline = [(-320.0, 0.0, -200.0), *zip(x, crest, np.full(60, -200.0), strict=True), (320.0, 0.0, -200.0)]
    polygon([(float(a), float(b), float(c)) for a, b, c in outline], hills, 200)
    town = rng.random() < 0.45
    for distance in np.sort(rng.uniform(max(place.back + 12, 25), 110, size=16))[::-1]:
        x0 = float(rng.uniform(-0.9, 0.9) * distance)
        if town and rng.random() < 0.6:
            wide, high = float(rng.uniform(6, 14)), float(rng.uniform(5, 22))
            colour = pick(rng, _BRICKS + _WALLS, 8) * 0.92
            polygon([(x0, 0, -distance), (x0, high, -distance), (x0 + wide, high, -distance), (x0 + wide, 0, -distance)], colour, distance)
            for y in np.arange(1.5, high - 1.5, 3.0):
                for w in np.arange(x0 + 1, x0 + wide - 1.5, 2.4):
                    polygon([(w, y, -distance), (w, y + 1.5, -distance), (w + 1.2, y + 1.5, -distance), (w + 1.2, y, -distance)], colour * 0.6, distance)
        else:
            size = float(rng.uniform(2.0, 4.5))
            green = pick(rng, ((74, 104, 56), (92, 118, 66), (60, 88, 54), (116, 122, 60)), 6)
            trunk = size * 0.09
            polygon([(x0 - trunk, 0, -distance), (x0 - trunk, size, -distance), (x0 + trunk, size, -distance), (x0 + trunk, 0, -distance)], np.array((92.0, 74, 56)), distance)
            for _ in range(9):
                cx, cy = x0 + rng.normal() * size * 0.36, size * 1.35 + rng.normal() * size * 0.3
                r = size * rng.uniform(0.3, 0.55)
                turn = np.linspace(0, 2 * np.pi, 12)[:-1]
                tone = green * (0.8 + 0.16 * (cy / size - 0.7))
                polygon([(cx + r * np.cos(a), cy + r * np.sin(a), -distance) for a in turn], tone, distance)


def _ink(colour: np.ndarray) -> tuple[int, int, int]:
    r, g, b = (int(v) for v in np.clip(colour, 0, 255))
    return r, g, b
