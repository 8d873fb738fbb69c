"""What a person is made of: keypoint names, limbs, left-right pairs, OKS sigmas and the order of grouping.

A skeleton comes from the two published ones below, from the `categories` entry of a COCO-style json, or from a small
yaml file with the same keys. It knows nothing of pictures, networks or files of annotations.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scalepose.errors import ScaleposeError

DEFAULT_SIGMA = 0.079  # COCO's shoulder: the middle of its range; used where a data set states no sigmas
MAX_KEYPOINTS = 1000
MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Skeleton:
    """K named keypoints and how they belong together.

    name: short name, such as "coco17".
    keypoints: K names; "left_"/"right_" pairs are not read from them, `flip_pairs` states them.
    limbs: pairs of keypoint indices (from 0), for drawing.
    flip_pairs: pairs of keypoint indices that change places in a mirrored picture.
    sigmas: K standard deviations of the annotation, in units of the square root of the person's area (OKS).
    order: a permutation of range(K), the order in which grouping visits keypoint types (most reliable first).

    Raises ScaleposeError when these do not fit together.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = ()
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        K = len(self.keypoints)
        if not self.sigmas:
            object.__setattr__(self, "sigmas", (DEFAULT_SIGMA,) * K)
        if not self.order:
            object.__setattr__(self, "order", tuple(range(K)))
        if not 1 <= K <= MAX_KEYPOINTS:
            raise self._error(f"it has {K} keypoints; 1 to {MAX_KEYPOINTS} are possible")
        if len(set(self.keypoints)) != K:
            twice = sorted({n for n in self.keypoints if self.keypoints.count(n) > 1})
            raise self._error(f"keypoint names must differ; {', '.join(twice)} stands more than once")
        if len(self.sigmas) != K or not all(math.isfinite(s) and s > 0 for s in self.sigmas):
            raise self._error(f"sigmas must be {K} positive numbers, one per keypoint; got {len(self.sigmas)}")
        if sorted(self.order) != list(range(K)):
            raise self._error(f"order must name every index from 0 to {K - 1} once; got {self.order}")
        for what, pairs in (("limbs", self.limbs), ("flip_pairs", self.flip_pairs)):
            for a, b in pairs:
                if not (0 <= a < K and 0 <= b < K and a != b):
                    raise self._error(f"{what} holds ({a}, {b}); two different indices below {K} are needed")
        paired = [k for pair in self.flip_pairs for k in pair]
        if len(paired) != len(set(paired)):
            raise self._error("flip_pairs names a keypoint twice; each keypoint has one mirror image")

    def _error(self, reason: str) -> ScaleposeError:
        return ScaleposeError(f"skeleton {self.name!r}: {reason}")

    def __len__(self) -> int:
        return len(self.keypoints)

    def __repr__(self) -> str:
        return f"Skeleton({self.name!r}, K={len(self)}, limbs={len(self.limbs)})"

    @cached_property
    def flip_index(self) -> np.ndarray:
        """(K,) int64: `maps[flip_index]` are the maps of a mirrored picture in the unmirrored order."""
        index = np.arange(len(self))
        for a, b in self.flip_pairs:
            index[a], index[b] = b, a
        index.flags.writeable = False
        return index

    @classmethod
    def from_category(cls, category: Mapping[str, Any], source: str = "categories") -> "Skeleton":
        """Read a COCO category: `keypoints`, `skeleton` (pairs counted from 1), and, if stated, `name`, `sigmas`,
        `flip_pairs` (names or indices from 0) and `order` (names or indices from 0).

        Without `flip_pairs`, names that differ only by left/right become pairs.
        """
        names = _strings(category.get("keypoints"), f"{source}: 'keypoints'")
        if category.get("name") == "person" and "sigmas" not in category:
            for known in SKELETONS.values():  # the names decide, whatever limbs the file states
                if names == known.keypoints:
                    return known
        index = {name: k for k, name in enumerate(names)}

        def key(value: Any, what: str, base: int = 0) -> int:
            if isinstance(value, str) and value in index:
                return index[value]
            if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
                return int(value) - base
            raise ScaleposeError(f"{source}: {what} names {value!r}, which is no keypoint of {list(names)}")

        def pairs(field: str, base: int) -> tuple[tuple[int, int], ...]:
            rows = category.get(field) or []
            if not isinstance(rows, Sequence) or any(not isinstance(r, Sequence) or len(r) != 2 for r in rows):
                raise ScaleposeError(f"{source}: '{field}' must be a list of pairs")
            return tuple((key(a, f"'{field}'", base), key(b, f"'{field}'", base)) for a, b in rows)

        sigmas = category.get("sigmas") or ()
        if not isinstance(sigmas, Sequence) or any(not isinstance(s, (int, float)) for s in sigmas):
            raise ScaleposeError(f"{source}: 'sigmas' must be a list of {len(names)} numbers")
        order = category.get("order") or ()
        return cls(
            name=str(category.get("name", "custom")),
            keypoints=names,
            limbs=pairs("skeleton", 1),
            flip_pairs=pairs("flip_pairs", 0) if "flip_pairs" in category else _left_right(names),
            sigmas=tuple(float(s) for s in sigmas),
            order=tuple(key(k, "'order'") for k in order),
        )

    @classmethod
    def load(cls, path: str | Path) -> "Skeleton":
        """Read a yaml or json file with the keys of `from_category` (limbs under `skeleton`, counted from 1)."""
        path = Path(path)
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ScaleposeError(f"{path}: a skeleton file is small; this one has over {MAX_FILE_BYTES} bytes")
            content = yaml.safe_load(path.read_text(encoding="utf-8"))  # json is yaml
        except OSError as error:
            raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ScaleposeError(f"{path}: is no yaml or json text ({error})") from error
        if not isinstance(content, Mapping):
            raise ScaleposeError(f"{path}: must hold keys such as 'keypoints' and 'skeleton'")
        return cls.from_category({"name": path.stem, **content}, str(path))

    def to_category(self) -> dict[str, Any]:
        """The COCO category that `from_category` reads back unchanged."""
        return {
            "id": 1,
            "name": "person" if self.name == "coco17" else self.name,
            "supercategory": "person",
            "keypoints": list(self.keypoints),
            "skeleton": [[a + 1, b + 1] for a, b in self.limbs],
            "flip_pairs": [list(pair) for pair in self.flip_pairs],
            "sigmas": list(self.sigmas),
            "order": list(self.order),
        }

    def to_json(self) -> str:
        """The skeleton as one line of json: what model files carry."""
        return json.dumps(self.to_category() | {"name": self.name})


def _strings(value: Any, what: str) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(v, str) for v in value):
        raise ScaleposeError(f"{what} must be a list of names")
    return tuple(value)


def _left_right(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Pairs of names that differ only in the word left/right (or a leading l_/r_)."""
    index = {name.lower(): k for k, name in enumerate(names)}
    pairs = []
    for name, k in index.items():
        for left, right in (("left", "right"), ("l_", "r_")):
            if left in name and (left == "left" or name.startswith(left)):
                other = index.get(name.replace(left, right, 1))
                if other is not None and other != k:
                    pairs.append((k, other))
                    break
    return tuple(pairs)


COCO17 = Skeleton(
    name="coco17",
    keypoints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
        "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
        "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    limbs=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8),
        (7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    sigmas=(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107,
            0.087, 0.087, 0.089, 0.089),
    order=(0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16),  # head and trunk first (official parser)
)  # fmt: skip

CROWDPOSE14 = Skeleton(
    name="crowdpose14",
    keypoints=(
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
        "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head", "neck",
    ),
    limbs=(
        (12, 13), (13, 0), (13, 1), (0, 2), (2, 4), (1, 3), (3, 5), (0, 6), (1, 7), (6, 7), (6, 8), (8, 10),
        (7, 9), (9, 11),
    ),
    flip_pairs=((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)),
    sigmas=(0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, 0.079),
    # The first fourteen entries of the official COCO order that exist here: what the official parser does.
    order=(0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13),
)  # fmt: skip

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO17, CROWDPOSE14)}
