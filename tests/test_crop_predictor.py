from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blob_people import BlobRuntime, blob_person, blob_picture
from scalepose.crops import CropPredictor
from scalepose.data.annotations import read_annotations
from scalepose.data.boxes import Boxes, annotated_boxes
from scalepose.data.degrade import Degradation
from scalepose.errors import ScaleposeError
from scalepose.evaluation.crops import evaluate_crops, known_boxes
from scalepose.models.cropcards import CROP_DEFAULT, find_crop_card
from scalepose.skeletons import COCO17

SAMPLES = Path(__file__).parents[1] / "samples"

BOXES = np.array([(40, 30, 90, 200), (220.5, 60.25, 110, 160), (400, 200, 60, 44)], np.float32)
PICTURE = blob_picture((520, 300), *BOXES.tolist())
PEOPLE = np.stack([blob_person(box) for box in BOXES.tolist()])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("head", ["udp", "udp-offset", "cal", "cal-light", "dark"])
def test_keypoints_come_back_to_the_picture(head, flip):
    predictor = CropPredictor(BlobRuntime(head), flip=flip)
    poses = predictor(PICTURE, BOXES)
    zoom = 128 / (1.25 * np.array([200, 160, 80]))  # crop pixels per image pixel
    error = np.linalg.norm(poses.keypoints - PEOPLE, axis=2) * zoom[:, None]
    # In the plain alignment mirrored maps lie a quarter of a map pixel off, which the average halves (published).
    assert error.max() < (0.9 if head == "dark" and flip else 0.3)
    assert poses.keypoint_scores.min() > 0.9
    np.testing.assert_allclose(poses.scores, poses.keypoint_scores.mean(axis=1), atol=1e-6)


def test_plain_heatmaps_are_quantised():
    poses = CropPredictor(BlobRuntime("heatmap"), flip=True)(PICTURE, BOXES)
    error = np.linalg.norm(poses.keypoints - PEOPLE, axis=2) * 128 / (1.25 * np.array([200, 160, 80]))[:, None]
    assert 0.3 < error.mean() < 4 * 0.7


def test_files_are_read_as_people_see_them(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    exif = pillow.Exif()
    exif[274] = 6  # to be turned to the right
    pillow.fromarray(np.rot90(PICTURE)).save(tmp_path / "turned.png", exif=exif)
    poses = CropPredictor(BlobRuntime("cal"))(tmp_path / "turned.png", BOXES)
    np.testing.assert_array_equal(poses.keypoints, CropPredictor(BlobRuntime("cal"))(PICTURE, BOXES).keypoints)


@pytest.mark.parametrize("alignment_head", ["cal", "dark"])
def test_low_resolution_keeps_the_place(alignment_head):
    low = Degradation((24, 32))
    poses = CropPredictor(BlobRuntime(alignment_head), low_res=low)(PICTURE, BOXES)
    error = np.linalg.norm(poses.keypoints - PEOPLE, axis=2) * 128 / (1.25 * np.array([200, 160, 80]))[:, None]
    assert error.max() < 0.5  # of 4 crop pixels that became one


def test_people_are_rescored_and_each_stays_once():
    twice = np.concatenate([BOXES, BOXES[:1] + 2])
    scores = np.array([0.5, 0.9, 0.2, 0.8], np.float32)
    predictor = CropPredictor(BlobRuntime("cal"))
    poses = predictor(PICTURE, twice, scores)
    np.testing.assert_allclose(poses.scores, scores * poses.keypoint_scores.mean(axis=1), rtol=1e-6)
    people = predictor.people(PICTURE, Boxes(twice, scores))
    assert len(people) == 3
    np.testing.assert_allclose(people.keypoints, poses.keypoints[[1, 3, 2]])


def test_batches_are_bounded():
    runtime = BlobRuntime("cal", (384, 512))
    poses = CropPredictor(runtime)(PICTURE, np.repeat(BOXES, 3, axis=0))
    assert runtime.batches == [4, 4, 1]
    np.testing.assert_allclose(poses.keypoints[0], PEOPLE[0], atol=0.5)
    assert len(CropPredictor(runtime)(PICTURE, BOXES[:0])) == 0


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((600, 0, 10, 10), "outside"),
        ((0, 0, 0, 10), "no width"),
        ((0, 0, np.nan, 10), "finite"),
        ((-1e9, -1e9, 2e9, 2e9), "far larger"),
        ((5, 5, 0.2, 0.3), "smaller than a pixel"),
    ],
)
def test_boxes_that_cannot_be_used(box, reason):
    with pytest.raises(ScaleposeError, match=rf"box 1 \(counted from 0\) .*{reason}"):
        CropPredictor(BlobRuntime("cal"))(PICTURE, np.array([BOXES[0], box]))


def test_mistakes_are_named(tiny_safetensors):
    with pytest.raises(ScaleposeError, match="reads whole pictures"):
        CropPredictor(tiny_safetensors)
    predictor = CropPredictor(BlobRuntime("cal"))
    with pytest.raises(ScaleposeError, match=r"\(P, 4\)"):
        predictor(PICTURE, BOXES[0])
    with pytest.raises(ScaleposeError, match="uint8 RGB"):
        predictor(PICTURE / 255, BOXES)
    with pytest.raises(ScaleposeError, match=r"3 boxes need box_scores of the shape \(3,\), not \(2,\)"):
        predictor(PICTURE, BOXES, np.ones(2))


def test_the_shipped_model_reads_rendered_people():
    """It has seen photos only. Each person is in a given box, so chance alone would be an AP50 of about 0."""
    card = find_crop_card(CROP_DEFAULT)
    onnx, safetensors = card.file(".onnx"), card.file(".safetensors")
    assert onnx is not None
    assert safetensors is not None
    assert max(onnx.stat().st_size, safetensors.stat().st_size) < 10e6
    predictor = CropPredictor()
    assert predictor.card == replace(card, weights=None)
    truth = read_annotations(SAMPLES / "person_keypoints.json", SAMPLES, COCO17)
    boxes = known_boxes(annotated_boxes(truth)[0])
    full = evaluate_crops(predictor, boxes, truth, progress=False).metrics
    assert full["AP50"] > 0.25
    predictor.low_res = Degradation((24, 32))  # a sixteenth of the pixels
    low = evaluate_crops(predictor, boxes, truth, progress=False).metrics
    assert low["AP50"] > 0.15


def test_the_card_says_what_the_documentation_says():
    card = find_crop_card(CROP_DEFAULT)
    text = (Path(__file__).parents[1] / "docs" / "crop-model.md").read_text(encoding="utf-8")
    assert text.startswith(f"# Model card: {card.name}")
    for name, row in (("AP", "128x96, as it is"), ("AP_64x48", "64x48"), ("AP_32x24", "32x24")):
        assert f"| {row} | {card.evidence[name]:.3f} |" in text
