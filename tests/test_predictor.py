"""The predictor against a slow, literal reading of the published test procedure, and what it refuses."""

import cv2
import numpy as np
import pytest

from dots import Dots, dotted
from scalepose.decode import group
from scalepose.errors import ScaleposeError
from scalepose.models.outputs import Outputs
from scalepose.predictor import Predictor

pytest.importorskip("torch")

import torch
from torch.nn.functional import interpolate

from scalepose.runtimes.torch import TorchRuntime

FLIP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def picture(w: int, h: int, seed: int = 0) -> np.ndarray:
    """Smooth coloured noise: (h, w, 3) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (-(-h // 8), -(-w // 8), 3), dtype=np.uint8)
    return cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)


class Published:
    """The official test procedure, one step after another (SPEC: largest scale first, every map projected)."""

    def __init__(self, model, input_size: int, flip: bool, scales: list[float]):
        self.model, self.input_size, self.flip, self.scales = model, input_size, flip, scales

    def resized(self, image: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        h, w = image.shape[:2]
        smallest = min(self.scales)
        base = int((int(smallest * self.input_size) + 63) // 64 * 64)
        if w < h:
            W = int(base * scale / smallest)
            H = int(int((int(base / w * h) + 63) // 64 * 64) * scale / smallest)
            source_width = float(w)
        else:
            H = int(base * scale / smallest)
            W = int(int((int(base / h * w) + 63) // 64 * 64) * scale / smallest)
            source_width = W / H * h
        cx, cy = int(w / 2 + 0.5), int(h / 2 + 0.5)
        source = [(cx, cy), (cx, cy - source_width / 2), (cx - source_width / 2, cy - source_width / 2)]
        target = [(W / 2, H / 2), (W / 2, H / 2 - W / 2), (0, H / 2 - W / 2)]
        matrix = cv2.getAffineTransform(np.array(source, np.float32), np.array(target, np.float32))
        return cv2.warpAffine(image, matrix, (W, H)), matrix

    def look(self, pixels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """One run of the network: averaged heatmaps (17, h, w) and tags (17, h, w) at the size of the finest."""
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        tensor = ((torch.from_numpy(pixels.copy()).float() / 255 - mean) / std).permute(2, 0, 1)[None]
        with torch.no_grad():
            outputs = self.model(tensor)
        size = outputs.heatmaps[-1].shape[2:]
        maps = [interpolate(m, size, mode="bilinear", align_corners=False) for m in outputs.heatmaps]
        tags = interpolate(outputs.tags, size, mode="bilinear", align_corners=False)
        return torch.stack(maps).mean(0)[0], tags[0]

    def maps(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(17, h, w) and (17, h, w, T)."""
        base = self.resized(image, 1.0)[0].shape[:2]
        total, tags = torch.zeros(17, *base), []
        for scale in sorted(self.scales, reverse=True):
            pixels, _ = self.resized(image, scale)
            seen = [self.look(pixels)]
            if self.flip:
                mirrored_heatmaps, mirrored_tags = self.look(pixels[:, ::-1])
                seen.append((mirrored_heatmaps.flip(2)[FLIP], mirrored_tags.flip(2)[FLIP]))
            projected = [
                [interpolate(maps[None], base, mode="bilinear", align_corners=False)[0] for maps in pair]
                for pair in seen
            ]
            total += sum(heatmaps for heatmaps, _ in projected) / len(projected)
            if scale == 1 or len(self.scales) == 1:
                tags += [tags_of_one for _, tags_of_one in projected]
        return (total / len(self.scales)).numpy(), torch.stack(tags, dim=-1).numpy()

    def points(self, image: np.ndarray, found: np.ndarray, map_size: tuple[int, int]) -> np.ndarray:
        """Points on the final maps → image pixels, by the inverse of the smallest scale's matrix."""
        pixels, matrix = self.resized(image, min(self.scales))
        in_input = found * (np.array(pixels.shape[1::-1]) / np.array(map_size))
        return (in_input - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("scales", [[1.0], [0.5, 1.0, 2.0]], ids=str)
@pytest.mark.parametrize("size", [(150, 110), (100, 170), (130, 130)], ids=str)
def test_paper_profile_is_the_published_procedure(tiny_model, size, scales, flip):
    image = picture(*size)
    predictor = Predictor(TorchRuntime(tiny_model), profile="paper", flip=flip, scales=scales)
    reference = Published(tiny_model, 64, flip, scales)
    heatmaps, tags, _, _ = predictor.maps(image)
    expected_heatmaps, expected_tags = reference.maps(image)
    assert heatmaps.shape == expected_heatmaps.shape
    assert tags.shape == expected_tags.shape
    np.testing.assert_allclose(heatmaps, expected_heatmaps, atol=2e-5)
    np.testing.assert_allclose(tags, expected_tags, atol=2e-5)

    # Of its own maps: who gets a keypoint can hang on the last digit, which CPUs round differently.
    found, values, scores = group(heatmaps, tags, tiny_model.card.skeleton, profile="paper")
    poses = predictor(image)
    assert len(poses) == len(found) > 0
    order = np.argsort(-scores, kind="stable")
    h, w = expected_heatmaps.shape[1:]
    expected = reference.points(image, found, (w, h))[order]
    np.testing.assert_allclose(poses.keypoints, expected, atol=0.01)
    np.testing.assert_allclose(poses.keypoint_scores, values[order], atol=1e-4)
    np.testing.assert_allclose(poses.scores, scores[order], atol=1e-4)


def test_flip_is_on_in_the_paper_and_off_in_fast(tiny_model):
    image = picture(128, 96)
    for profile, T in (("paper", 2), ("fast", 1)):
        assert Predictor(TorchRuntime(tiny_model), profile=profile).maps(image)[1].shape[-1] == T
    assert Predictor(TorchRuntime(tiny_model), flip=True).maps(image)[1].shape[-1] == 2


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize(
    ("size", "points"),
    [
        ((200, 160), [(90.25, 60.5), (110.5, 80.75), (120.0, 100.0)]),  # enlarged less than the maps shrink
        ((160, 230), [(60.0, 110.0), (80.5, 130.25), (90.75, 150.5)]),
        ((128, 128), [(50.0, 40.0), (60.5, 60.25), (80.75, 70.5)]),
    ],
)
def test_fast_profile_finds_points_where_they_are(size, points, flip):
    w, h = size
    (person,) = Predictor(Dots(), flip=flip)(dotted(w, h, points)).keypoints
    np.testing.assert_allclose(person, points, atol=0.35)


def test_fast_profile_at_several_scales():
    points = [(50.0, 40.0), (60.5, 60.25), (80.75, 70.5)]
    image = dotted(140, 120, points)
    runtime = Dots()
    for scales in ([0.5, 1.0, 2.0], [1.3, 1.0], [2.0]):
        (person,) = Predictor(runtime, scales=scales)(image).keypoints
        np.testing.assert_allclose(person, points, atol=0.35)
    assert runtime.seen == [(320, 256), (160, 128), (64, 64), (192, 160), (160, 128), (320, 256)]


def test_a_mirrored_picture_gives_mirrored_people(tiny_model):
    """With flip averaging left and right are treated alike: mirroring the picture mirrors the maps, pairs exchanged."""
    image = picture(96, 64)  # nothing to pad
    predictor = Predictor(TorchRuntime(tiny_model), flip=True)
    heatmaps, *_ = predictor.maps(image)
    mirrored, *_ = predictor.maps(np.ascontiguousarray(image[:, ::-1]))
    np.testing.assert_allclose(mirrored, heatmaps[FLIP][:, :, ::-1], atol=1e-5)


def test_input_sizes():
    runtime = Dots()
    points = [(5.0, 5.0)] * 3
    Predictor(runtime)(dotted(64, 48, points))
    Predictor(runtime)(dotted(2000, 20, points))  # long and thin: the long side is bounded
    Predictor(runtime, scales=[2.0])(dotted(64, 48, points))
    Predictor(runtime, profile="paper", flip=False)(dotted(64, 48, points))
    assert runtime.seen == [(192, 128), (512, 32), (352, 256), (192, 128)]


def test_memory_is_bounded_in_the_paper_profile_too():
    with pytest.raises(ScaleposeError, match=r"2000×20 pixels .* use profile 'fast'"):
        Predictor(Dots(), profile="paper")(np.zeros((20, 2000, 3), np.uint8))


def test_scales_that_the_published_resize_cannot_make():
    with pytest.raises(ScaleposeError, match=r"no multiples of 32 pixels; use the published 0\.5, 1 and 2"):
        Predictor(Dots(), profile="paper", scales=[0.5, 1, 1.3])(np.zeros((48, 64, 3), np.uint8))


def test_orientation_of_files(tmp_path):
    """EXIF orientation 6: the camera was turned; fast turns the picture, the published protocol does not."""
    upright = dotted(100, 160, [(30, 60), (50, 80), (40, 100)])
    sideways = np.ascontiguousarray(np.rot90(upright))  # turning it clockwise makes it upright
    jpeg = cv2.imencode(".jpg", sideways[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    fast = Predictor(Dots())(path)
    np.testing.assert_allclose(fast.keypoints[0], [(30, 60), (50, 80), (40, 100)], atol=0.5)
    paper = Predictor(Dots(), profile="paper")(str(path))
    np.testing.assert_allclose(paper.keypoints[0], [(60, 70), (80, 50), (100, 60)], atol=1.5)


def test_best_people_come_first(tiny_model):
    for profile in ("paper", "fast"):
        poses = Predictor(TorchRuntime(tiny_model), profile=profile)(picture(150, 110))
        assert len(poses) > 1
        assert (np.diff(poses.scores) <= 0).all()


def test_nobody_in_the_dark(tiny_model):
    class Blind(Dots):
        def __call__(self, images):
            outputs = super().__call__(images)
            return Outputs([0 * maps for maps in outputs.heatmaps], outputs.tags)

    for profile in ("paper", "fast"):
        poses = Predictor(Blind(), profile=profile)(np.zeros((40, 50, 3), np.uint8))
        assert len(poses) == 0
        assert poses.skeleton.name == "rgb"


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((10, 10), np.uint8), r"\(10, 10\) uint8; .*grey.*np\.stack"),
        (np.zeros((10, 10, 1), np.uint8), r"\(10, 10, 1\) uint8; .*grey"),
        (np.zeros((10, 10, 4), np.uint8), r"\(10, 10, 4\) uint8; .*alpha"),
        (np.zeros((3, 10, 20), np.uint8), r"\(3, 10, 20\) uint8"),
        (np.zeros((10, 10, 3), np.float32), r"float32; .*0…255"),
        (np.zeros((10, 10, 3), np.uint16), "uint16"),
        (np.zeros((0, 10, 3), np.uint8), r"\(0, 10, 3\)"),
        ([[1]], "list"),
    ],
)
def test_arrays_that_are_no_pictures(image, reason):
    with pytest.raises(ScaleposeError, match=reason):
        Predictor(Dots())(image)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"profile": "slow"}, "no profile is called 'slow'; there are: paper, fast"),
        ({"scales": []}, "scales"),
        ({"scales": [0.0]}, "scales"),
        ({"scales": [float("nan")]}, "scales"),
        ({"scales": [100.0]}, "scales"),
        ({"scales": [1, 1]}, "scales"),
        ({"profile": "paper", "scales": [0.5, 2]}, "several scales must contain 1"),
    ],
)
def test_settings_that_cannot_be(arguments, reason):
    with pytest.raises(ScaleposeError, match=reason):
        Predictor(Dots(), **arguments)


def test_what_it_says_of_itself(tiny_model):
    predictor = Predictor(TorchRuntime(tiny_model), profile="paper")
    assert predictor.card is tiny_model.card
    assert predictor.profile == "paper"
    assert repr(predictor) == f"Predictor('tiny', profile='paper', flip=True, scales=(1.0,), {predictor.runtime.name})"
