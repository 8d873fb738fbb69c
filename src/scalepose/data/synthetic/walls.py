"""Pictures of walls: rooms with windows, doors and shelves, and the fronts of houses along a street."""

import cv2
import numpy as np

from scalepose.data.synthetic.textures import Colour, ink, noise, pick

WALL_TEXELS = 44.0  # a metre

WALLS: tuple[Colour, ...] = (
    (232, 226, 214), (214, 220, 222), (196, 206, 200), (222, 206, 184), (176, 190, 204), (206, 186, 178),
    (240, 238, 232), (150, 160, 158), (184, 160, 132),
)  # fmt: skip
BRICKS: tuple[Colour, ...] = ((158, 92, 70), (176, 120, 92), (190, 178, 160), (140, 132, 124), (204, 196, 182))


def room_wall(rng: np.random.Generator, span: float, height: float) -> np.ndarray:
    """(rows, columns, 3): a wall with a skirting board, windows, pictures, shelves or a door."""
    t = WALL_TEXELS
    rows, columns = int(height * t), int(span * t)
    colour = pick(rng, WALLS, 6)
    wall = np.broadcast_to(colour, (rows, columns, 3)).astype(np.uint8).copy()
    if rng.random() < 0.25:
        step = int(rng.integers(14, 40))
        for x in range(0, columns, step):
            cv2.rectangle(wall, (x, 0), (x + step // 2, rows), ink(colour * 0.95), -1)
    if rng.random() < 0.3:
        cv2.rectangle(wall, (0, rows - int(0.9 * t)), (columns, rows), ink(pick(rng, WALLS) * 0.9), -1)
    x = float(rng.uniform(0.1, 1.0))
    while x < span - 0.9:
        what = rng.choice(["window", "picture", "door", "shelf", "nothing"], p=[0.25, 0.3, 0.12, 0.13, 0.2])
        wide = float(rng.uniform(0.5, 1.6))
        left, right = int(x * t), int(min(x + wide, span - 0.1) * t)
        if what == "window":
            top, bottom = rows - int(2.2 * t), rows - int(0.95 * t)
            cv2.rectangle(wall, (left - 5, top - 5), (right + 5, bottom + 5), ink(colour * 0.5 + 120), -1)
            glass = np.linspace(0, 1, max(2, bottom - top))[:, None, None]
            view = (1 - glass) * (196, 220, 240) + glass * (218, 226, 214)
            wall[top : top + len(view), left:right] = view
            cv2.line(wall, ((left + right) // 2, top), ((left + right) // 2, bottom), (236, 236, 232), 4)
            cv2.line(wall, (left, (top + bottom) // 2), (right, (top + bottom) // 2), (236, 236, 232), 3)
        elif what == "picture":
            top = rows - int(rng.uniform(1.8, 2.1) * t)
            bottom = top + int(rng.uniform(0.35, 0.7) * t)
            cv2.rectangle(wall, (left + 3, top + 4), (right + 3, bottom + 4), ink(colour * 0.82), -1)
            cv2.rectangle(
                wall, (left, top), (right, bottom), ink(pick(rng, ((40, 36, 34), (200, 180, 140), (236, 236, 232)))), -1
            )
            inner = wall[top + 4 : bottom - 4, left + 4 : right - 4]
            a, b = rng.uniform(60, 230, size=(2, 3))
            clouds = np.clip(0.5 + 0.4 * noise(8)[: inner.shape[0], : inner.shape[1]], 0, 1)[..., None]
            inner[: clouds.shape[0], : clouds.shape[1]] = a * clouds + b * (1 - clouds)
        elif what == "door":
            top, right = rows - int(2.05 * t), left + int(0.9 * t)
            wood = pick(rng, ((236, 234, 228), (150, 106, 70), (110, 76, 52)))
            cv2.rectangle(wall, (left, top), (right, rows), ink(wood), -1)
            cv2.rectangle(wall, (left, top), (right, rows), ink(wood * 0.7), 3)
            for low, high in ((1.85, 1.15), (0.95, 0.2)):
                cv2.rectangle(
                    wall, (left + 9, rows - int(low * t)), (right - 9, rows - int(high * t)), ink(wood * 0.85), 2
                )
            cv2.circle(wall, (right - 7, rows - int(1.0 * t)), 3, (90, 84, 70), -1, cv2.LINE_AA)
        elif what == "shelf":
            wood = pick(rng, ((150, 106, 70), (206, 190, 164), (90, 70, 56)))
            top = rows - int(rng.uniform(1.2, 2.1) * t)
            cv2.rectangle(wall, (left, top), (right, rows), ink(wood * 0.55), -1)
            for level in range(top, rows - 8, int(0.36 * t)):
                book = left + 3
                while book < right - 8:
                    w, h = int(rng.integers(2, 7)), int(rng.integers(9, 17))
                    cv2.rectangle(
                        wall, (book, level + 19 - h), (book + w, level + 19), ink(rng.uniform(40, 225, 3)), -1
                    )
                    book += w + 1
                cv2.rectangle(wall, (left, level + 19), (right, level + 21), ink(wood), -1)
        x += wide + float(rng.uniform(0.3, 1.6))
    cv2.rectangle(wall, (0, rows - int(0.1 * t)), (columns, rows), ink(np.clip(colour * 1.08, 0, 255)), -1)
    cv2.line(wall, (0, rows - int(0.1 * t)), (columns, rows - int(0.1 * t)), ink(colour * 0.75), 1)
    return wall


def facade(rng: np.random.Generator, span: float, height: float) -> np.ndarray:
    """(rows, columns, 3): the front of houses, or a plain wall, hedge or fence where it is low."""
    t = WALL_TEXELS
    rows, columns = int(height * t), int(span * t)
    wall = np.zeros((rows, columns, 3), np.uint8)
    tall = height > 4
    x = 0
    while x < columns:
        house = int(rng.uniform(5, 12) * t)
        colour = pick(rng, BRICKS + WALLS, 8)
        part = wall[:, x : x + house]
        part[:] = colour.astype(np.uint8)
        if rng.random() < 0.5:  # courses of bricks
            part[::6] = (colour * 0.86).astype(np.uint8)
            for row in range(0, rows, 12):
                part[row : row + 6, ::14] = (colour * 0.86).astype(np.uint8)
                part[row + 6 : row + 12, 7::14] = (colour * 0.86).astype(np.uint8)
        frame, glass = (
            ink(np.clip(colour * 0.6 + 90, 0, 255)),
            pick(rng, ((84, 104, 122), (60, 72, 84), (130, 150, 164))),
        )
        storey, bay = int(3.0 * t), int(rng.uniform(1.6, 2.8) * t)
        door = x + int(rng.uniform(0.2, 0.7) * house) if rng.random() < 0.7 else -house
        for floor, bottom in enumerate(range(rows - int(0.9 * t), 0, -storey)):
            for left in range(x + int(0.5 * t), x + house - int(1.2 * t), bay):
                by_door = floor == 0 and left - 1.3 * t < door < left + 1.2 * t
                if rng.random() < (0.85 if tall else 0.35) and not by_door:
                    right, top = left + int(0.95 * t), bottom - int(1.45 * t)
                    cv2.rectangle(wall, (left - 4, top - 4), (right + 4, bottom + 4), frame, -1)
                    cv2.rectangle(wall, (left, top), (right, bottom), ink(glass * rng.uniform(0.75, 1.25)), -1)
                    cv2.line(wall, ((left + right) // 2, top), ((left + right) // 2, bottom), frame, 3)
        if door >= x:
            wood = pick(rng, ((96, 60, 44), (44, 62, 84), (60, 84, 64), (60, 58, 58)))
            cv2.rectangle(wall, (door, rows - int(2.2 * t)), (door + int(1.1 * t), rows), ink(wood), -1)
            cv2.rectangle(wall, (door, rows - int(2.2 * t)), (door + int(1.1 * t), rows), frame, 4)
        cv2.rectangle(wall, (x, rows - int(0.35 * t)), (x + house, rows), ink(colour * 0.72), -1)
        cv2.line(wall, (x, 0), (x, rows), ink(colour * 0.6), 3)
        x += house
    return wall
