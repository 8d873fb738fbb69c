"""What people carry: bags on the back, over the shoulder or in the hand, and things held."""

import numpy as np

from scalepose.data.synthetic.bodies import Stance
from scalepose.data.synthetic.meshes import Mesh, box, ellipsoid, tube

KINDS = ("", "back", "shoulder", "bag", "phone", "cup", "ball", "racket", "umbrella", "parcel")
CHANCES = (0.66, 0.08, 0.06, 0.06, 0.04, 0.03, 0.02, 0.02, 0.01, 0.02)


def belongings(pose: Stance, kind: str, tile: int) -> list[Mesh]:
    """The surfaces of one of `KINDS`; "" is nothing. Things held are in the left hand."""
    h, chest = pose.body.height, pose.turns["chest"]
    wrist, hand = pose.points["left_wrist"], pose.turns["left_forearm"]
    grip = wrist - hand @ np.array([0.004, 0.055, 0.0]) * h
    left = np.array([1.0, 0, 0])
    if kind == "back":
        up = np.array([-0.13, -0.125, -0.09, 0.0, 0.09, 0.13, 0.145])
        half = np.array(
            [(0.05, 0.03), (0.078, 0.046), (0.088, 0.056), (0.088, 0.058), (0.08, 0.05), (0.055, 0.032), (0.02, 0.012)]
        )
        path = np.stack([0 * up, up + 0.0, -0.085 - half[:, 1] * 0.7], axis=1) * h * 0.92
        pack = tube(path, left, half * h * 0.92, tile, 16, power=0.7, ends=(True, True))
        middle = (pose.points["chest"] + pose.points["neck"]) / 2 - chest[:, 1] * 0.03 * h
        return [pack.moved(chest, middle)]
    if kind == "shoulder":
        turn = pose.turns["pelvis"]
        top = pose.points["left_shoulder"] + chest @ np.array([-0.015, 0.045, 0]) * h
        centre = pose.points["left_hip"] + turn @ np.array([0.075, 0.02, -0.01]) * h
        return _hung(top, centre, (turn * (0.025 * h, 0.055 * h, 0.075 * h)).T, tile)
    if kind == "bag":
        return _hung(grip, grip - np.array([0, 0.14 * h, 0]), np.diag([0.028, 0.06, 0.085]) * h, tile)
    if kind == "phone":
        return [box(grip + hand @ np.array([-0.02, 0, 0.02]), (hand * (0.006, 0.07, 0.036)).T, tile)]
    if kind == "cup":
        path = grip + np.outer(np.linspace(-0.05, 0.06, 3), (0, 1.0, 0))
        return [tube(path, left, np.full((3, 2), 0.036), tile, 10, ends=(True, True))]
    if kind == "ball":
        radius = 0.06 * h
        return [ellipsoid(grip - hand[:, 0] * (radius + 0.03), np.eye(3) * radius, tile, 14, 10)]
    if kind == "racket":
        along = hand @ np.array([0, -0.5, 0.866])
        middle, across = grip + along * 0.48, np.cross(along, hand[:, 0])
        axes = np.stack([hand[:, 0] * 0.012, along * 0.16, across * 0.12])
        path = np.linspace(grip - along * 0.08, grip + along * 0.34, 3)
        return [tube(path, hand[:, 0], np.full((3, 2), 0.014), tile, 6), ellipsoid(middle, axes, tile, 14, 8)]
    if kind == "umbrella":
        top = grip + np.array([0, 0.85, 0])
        rise = np.array([0, 0.03, 0.12, 0.22, 0.26])
        half = np.array([0.56, 0.52, 0.38, 0.16, 0.01])
        roof = tube(top + np.outer(rise - 0.22, (0, 1.0, 0)), left, np.stack([half, half], axis=1), tile, 12)
        return [roof, tube(np.linspace(grip - (0, 0.1, 0), top, 3), left, np.full((3, 2), 0.01), tile, 6)]
    if kind == "parcel":
        middle = (pose.points["left_wrist"] + pose.points["right_wrist"]) / 2
        return [box(middle + chest[:, 2] * 0.02, (chest * (0.17, 0.12, 0.13)).T, tile)]
    return []


def _hung(top: np.ndarray, centre: np.ndarray, axes: np.ndarray, tile: int) -> list[Mesh]:
    """A box with half `axes` (rows: across, up, along) and the two straps that hold it."""
    strap = np.full((4, 2), 0.08 * np.linalg.norm(axes[1]))
    ends = [centre + axes[1] + 0.8 * sign * axes[2] for sign in (-1, 1)]
    return [box(centre, axes, tile), *(tube(np.linspace(top, end, 4), axes[0], strap, tile, 5) for end in ends)]
