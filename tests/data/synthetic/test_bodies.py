"""Bodies in postures: joint limits, bone lengths, mirrors, left and right, ground."""

from itertools import pairwise

import numpy as np
import pytest

from scalepose.data.synthetic.bodies import SIDES, Body, stance, turn_y
from scalepose.data.synthetic.cameras import Camera
from scalepose.data.synthetic.figures import sample_figure
from scalepose.data.synthetic.people import load_people
from scalepose.data.synthetic.postures import ARM, KINDS, LEG, LIMITS, TRUNK, sample_posture
from scalepose.skeletons import COCO17


def test_left_is_the_persons_left():
    camera = Camera((640, 480), 600.0, 1.4, 3.0, 0.0)
    for seed in range(6):
        figure = sample_figure(np.random.default_rng(seed), "stand")
        for yaw, sign in ((0.0, 1), (180.0, -1)):
            pixels, _ = camera.project(figure.keypoints @ turn_y(yaw).T + (0, 0, -4))
            for name in ("shoulder", "hip", "ankle"):
                left, right = (COCO17.keypoints.index(f"{side}_{name}") for side in ("left", "right"))
                assert sign * (pixels[left, 0] - pixels[right, 0]) > 0, (name, yaw)


def test_face_points_forward():
    figure = sample_figure(np.random.default_rng(1), "stand")
    nose, left_eye, right_eye, left_ear, right_ear = figure.keypoints[:5] @ figure.stance.turns["head"]
    assert nose[2] > max(left_eye[2], right_eye[2]) > max(left_ear[2], right_ear[2])
    assert left_ear[0] > left_eye[0] > nose[0] > right_eye[0] > right_ear[0]
    assert nose[1] < left_eye[1]


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_postures_keep_joint_limits_and_bone_lengths(kind: str):
    rng = np.random.default_rng(0)
    for _ in range(5):
        posture = sample_posture(rng, kind)
        for names, angles in (
            (TRUNK, posture.trunk),
            *((ARM, a) for a in posture.arms),
            *((LEG, a) for a in posture.legs),
        ):
            assert all(LIMITS[name][0] <= angles[name] <= LIMITS[name][1] for name in names if name in LIMITS)
        body = Body.sample(rng)
        pose = stance(body, posture)
        assert np.abs(pose.bones @ pose.bones.transpose(0, 2, 1) - np.eye(3)).max() < 1e-9
        assert np.linalg.det(pose.bones) == pytest.approx(1)
        bones = load_people().bones
        for _, _, S in SIDES:
            chain = ("upperarm01", "lowerarm01", "wrist"), ("upperleg01", "lowerleg01", "foot")
            for upper, lower in [pair for limb in chain for pair in pairwise(limb)]:
                a, b = (bones.index(f"{name}.{S}") for name in (upper, lower))
                length = np.linalg.norm(pose.heads[a] - pose.heads[b])
                # A limb of two bones that turn against each other is not quite straight.
                assert length == pytest.approx(np.linalg.norm(body.joints[a] - body.joints[b]), rel=0.02)


def test_a_mirrored_posture_is_the_mirror_image():
    rng = np.random.default_rng(2)
    for _ in range(20):
        posture, body = sample_posture(rng), Body.sample(rng)
        plain, mirrored = stance(body, posture).points, stance(body, posture.mirror()).points
        for name, point in plain.items():
            other = name.replace("left", "#").replace("right", "left").replace("#", "right")
            assert mirrored[other] == pytest.approx(point * (-1, 1, 1), abs=2e-3)


def test_people_stand_on_the_ground():
    rng = np.random.default_rng(3)
    for kind in ("stand", "walk", "sit", "squat", "lie", "kneel", "run"):
        for level in range(4):
            figure = sample_figure(rng, kind)
            air = figure.stance.posture.trunk["air"] * figure.stance.body.height
            mesh, _ = figure.surface(level)
            assert mesh.points[:, 1].min() == pytest.approx(air, abs=0.02)
            if kind != "squat":  # some cannot hold it without a seat
                assert (figure.seat is not None) == (kind == "sit")
    assert sample_figure(rng, "jump").surface(0)[0].points[:, 1].min() > 0.05
