"""People: a body in a posture, dressed, as one surface with its atlas, and where its keypoints are.

A figure is drawn up first and given its surface when its size in the picture is known: far away people get by with a
tenth of the triangles. It knows nothing of cameras, places or other people.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from scalepose.data.synthetic.belongings import belongings
from scalepose.data.synthetic.bodies import Body, Stance, stance
from scalepose.data.synthetic.hairs import Dome, hair, hat
from scalepose.data.synthetic.meshes import TILE, Mesh, join, texels
from scalepose.data.synthetic.outfits import EXTRA, HAIR, Outfit, paint_outfit, sample_outfit
from scalepose.data.synthetic.people import SKIRT, Level, load_people
from scalepose.data.synthetic.postures import Posture, sample_posture

# How thick the flesh over each COCO keypoint is, as a fraction of the height: a surface that is nearer to the camera
# by more than that hides it.
_NOSE, _EYE, _EAR, _SHOULDER, _ELBOW, _WRIST, _HIP, _KNEE, _ANKLE = (
    0.016, 0.016, 0.03, 0.062, 0.04, 0.034, 0.1, 0.055, 0.05,
)  # fmt: skip
_FLESH = np.array([_NOSE, *np.repeat((_EYE, _EAR, _SHOULDER, _ELBOW, _WRIST, _HIP, _KNEE, _ANKLE), 2)])


@dataclass(frozen=True, repr=False, eq=False)
class Figure:
    """A dressed person in the body frame, standing on y = 0 (or in the air).

    keypoints: (17, 3) metres, in COCO's order. depths: (17,) metres of flesh and cloth over them. lift: metres between
    the body at rest and here. top: its highest point. seat: height of a seat below, or None. seed: of colours and
    hair. outline: (v, 3) the vertices at the coarsest level, on the ground.
    """

    stance: Stance
    outfit: Outfit
    keypoints: np.ndarray
    depths: np.ndarray
    lift: float
    top: float
    seat: float | None
    seed: int
    outline: np.ndarray

    @cached_property
    def pelvis(self) -> np.ndarray:
        """(3,) where the pelvis is."""
        return self.stance.points["pelvis"] + np.array([0, self.lift, 0])

    @property
    def silhouette(self) -> tuple[np.ndarray, np.ndarray]:
        """Points (v, 3) and triangles (T, 3) of a coarse surface without hair and belongings, enough for a shadow."""
        level = load_people().levels[-1]
        triangles = level.triangles
        if not self.outfit.skirt:
            triangles = triangles[level.charts[triangles[:, 0]] != SKIRT]
        return self.outline, level.corners[triangles]

    def surface(self, level: int) -> tuple[Mesh, np.ndarray]:
        """The surface at a level of detail, 0 the finest, and its atlas, uint8 RGB.

        The texels of the mesh are those of a tile of TILE texels; coarser levels have smaller atlases.
        """
        rng = np.random.default_rng(self.seed)
        body, outfit = self.stance.body, self.outfit
        people = load_people()
        detail = people.levels[level]
        parts = [_suit(self.stance, outfit, detail)]
        dome = Dome.around(body.dome)
        head = hair(rng, dome, HAIR, body.femininity, body.age, outfit.hat)
        if outfit.hat:
            head += hat(rng, dome, EXTRA)
        b = people.bones.index("head")
        turn = self.stance.bones[b]
        shift = self.stance.heads[b] - turn @ body.joints[b]
        parts += [part.moved(turn, shift) for part in head]
        carried = belongings(self.stance, outfit.belonging, EXTRA)
        if all(part.points[:, 1].min() > -self.lift for part in carried):  # not where it would be in the ground
            parts += carried
        mesh = join(parts)
        mesh.points[:, 1] += self.lift
        atlas = paint_outfit(rng, body, outfit)
        if level:  # as a camera would see it from afar
            shrink = min(2**level, 4)
            atlas = cv2.resize(atlas, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
            mesh = Mesh(mesh.points, mesh.normals, (mesh.texels + 0.5) / shrink - 0.5, mesh.triangles)
        return mesh, atlas


def sample_figure(rng: np.random.Generator, posture: Posture | str | None = None) -> Figure:
    """Somebody: body, posture (given, of a named kind, or any), clothes."""
    body = Body.sample(rng)
    if not isinstance(posture, Posture):
        posture = sample_posture(rng, posture)
    pose = stance(body, posture)
    outfit = sample_outfit(rng, body, posture)
    points = _skinned(pose, outfit, load_people().levels[-1])
    low, high = float(points[:, 1].min()), float(points[:, 1].max())
    lift = posture.trunk["air"] * body.height - low
    seat = None
    if posture.seat or _falls_back(pose):
        seat = float(pose.points["pelvis"][1] - 0.088 * body.height * (0.85 + 0.3 * body.weight) + lift)
    keypoints = pose.keypoints() + np.array([0, lift, 0])
    depths = _FLESH * body.height + max(outfit.top, outfit.bottom) * (np.arange(17) > 4)
    outline = points + np.array([0, lift, 0])
    return Figure(pose, outfit, keypoints, depths, lift, high + lift, seat, int(rng.integers(2**31)), outline)


def _falls_back(pose: Stance) -> bool:
    """Whether somebody leans back so far behind both feet that something must be there to sit on."""
    h, feet = pose.body.height, [pose.points[f"{side}_ankle"] for side in ("left", "right")]
    centre = (pose.points["pelvis"] + pose.points["chest"]) / 2
    lowest = min(foot[1] for foot in feet)
    behind = min(foot[2] for foot in feet) - centre[2]
    upright = pose.points["pelvis"][1] - lowest
    trunk = pose.posture.trunk
    return bool(behind > 0.13 * h and upright > 0.14 * h and abs(trunk["lie"]) < 45 and trunk["air"] == 0)


def _skinned(pose: Stance, outfit: Outfit, level: Level) -> np.ndarray:
    """(v, 3): the level's vertices, dressed, where the bones take them."""
    body = pose.body
    rest = body.rest[level.vertices]
    rest = rest + level.normals(rest) * outfit.thickness(level, body.height)[:, None]
    shift = pose.heads - np.einsum("jab,jb->ja", pose.bones, body.joints)
    affine = np.concatenate([pose.bones, shift[:, :, None]], axis=2).astype(np.float32)
    moves = (level.weights @ affine.reshape(-1, 12)).reshape(-1, 3, 4)
    return np.einsum("vab,vb->va", moves[:, :, :3], rest) + moves[:, :, 3]


def _suit(pose: Stance, outfit: Outfit, level: Level) -> Mesh:
    """Body and clothes without hair and belongings."""
    points = _skinned(pose, outfit, level)
    normals = level.normals(points)
    triangles = level.triangles
    first = triangles[:, 0]
    kept = level.charts[first] != SKIRT
    if outfit.skirt:
        kept |= level.places[triangles, 1].min(axis=1) < outfit.drop
    triangles = triangles[kept]
    places = texels(level.places[:, 0], level.places[:, 1], 0)
    places[:, 1] += level.charts * TILE
    return Mesh(points[level.corners], normals[level.corners], places, triangles)
