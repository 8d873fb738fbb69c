"""People: a body in a posture, dressed, as one surface with its atlas, and where its keypoints are.

It knows nothing of cameras, places or other people.
"""

from dataclasses import dataclass

import numpy as np

from scalepose.data.synthetic import limbs, torsos
from scalepose.data.synthetic.bodies import SIDES, Body, Stance, stance
from scalepose.data.synthetic.meshes import Mesh, join
from scalepose.data.synthetic.outfits import Outfit, paint_outfit, sample_outfit
from scalepose.data.synthetic.postures import sample_posture

# How thick the flesh over each COCO keypoint is, as a fraction of the height: a surface that is nearer to the camera
# by more than that hides it.
_NOSE, _EYE, _EAR, _SHOULDER, _ELBOW, _WRIST, _HIP, _KNEE, _ANKLE = (
    0.012, 0.014, 0.022, 0.062, 0.04, 0.032, 0.1, 0.055, 0.05,
)  # fmt: skip
_FLESH = np.array([_NOSE, *np.repeat((_EYE, _EAR, _SHOULDER, _ELBOW, _WRIST, _HIP, _KNEE, _ANKLE), 2)])
_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


@dataclass(frozen=True, repr=False, eq=False)
class Figure:
    """A dressed person in the body frame, its lowest point at y = 0 (or in the air).

    keypoints: (17, 3) metres, in COCO's order. depths: (17,) metres of flesh and cloth over them. tiles: uint8 RGB,
    the atlas of `mesh`. stance: the joints. seat: height of a seat below, or None.
    """

    mesh: Mesh
    keypoints: np.ndarray
    depths: np.ndarray
    tiles: np.ndarray
    stance: Stance
    seat: float | None

    @property
    def top(self) -> float:
        """The highest point above the ground, metres."""
        return float(self.mesh.points[:, 1].max())


def sample_figure(rng: np.random.Generator, kind: str | None = None) -> Figure:
    """Somebody: body, posture (of a named kind if given), clothes."""
    body = Body.sample(rng)
    pose = stance(body, sample_posture(rng, kind))
    outfit = sample_outfit(rng, body, pose.posture)
    mesh, face = _surface(rng, pose, outfit)
    joints = [pose.points[f"{side}_{joint}"] for joint in _JOINTS for side, _ in SIDES]
    keypoints = np.concatenate([face, joints])
    low = float(mesh.points[:, 1].min())
    seat = None
    if pose.posture.seat:
        seat = float(pose.points["pelvis"][1] - 0.068 * body.height * body.girth**0.5 - low)
    shift = np.array([0.0, pose.posture.trunk["air"] * body.height - low, 0.0])
    grounded = Stance(body, pose.posture, {name: p + shift for name, p in pose.points.items()}, pose.turns)
    depths = _FLESH * body.height + outfit.loose * (np.arange(17) > 4)
    tiles = paint_outfit(rng, body, outfit)
    return Figure(mesh.moved(np.eye(3), shift), keypoints + shift, depths, tiles, grounded, seat)


def _surface(rng: np.random.Generator, pose: Stance, outfit: Outfit) -> tuple[Mesh, np.ndarray]:
    """The whole surface, and the five keypoints of the head (5, 3)."""
    head, face = torsos.head(rng, pose, outfit)
    parts = [head, *torsos.trunk(pose, outfit), *torsos.bag(pose, outfit)]
    for side, s in SIDES:
        parts += [*limbs.arm(pose, outfit, side, s), *limbs.leg(pose, outfit, side)]
    if outfit.lower == "skirt":
        parts.append(torsos.skirt(pose, outfit))
    return join(parts), face
