"""Bake how real people stand, sit, overlap and shrink: layouts and postures lifted from annotations of COCO train2017.

    python tools/bake_layouts.py coco-layouts-train2017.npz src/scalepose/data/synthetic/layouts.npz

Input: `image_id (N,)`, `bbox_cxcywh (N, 4)`, `keypoints (N, 17, 2)` as fractions of the picture (times 32767), and
`visibility (N, 17)`. No picture is read. For a few thousand pictures, every person's keypoints are explained by the
average baked body in a posture within the limits of the joints, seen under weak perspective: the angles, which way the
person faces, how far the camera looks down, the size and the place are fitted by gradient descent from several starts.
What is kept are those numbers, in steps of about a degree, without names of pictures. Annotations: COCO Consortium,
CC BY 4.0. Needed only to make the asset again.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch

from scalepose.data.synthetic.bodies import CARRIERS, rest_frames
from scalepose.data.synthetic.people import load_people
from scalepose.data.synthetic.postures import LIMITS

TRUNK = ("lean", "tilt", "twist", "bend", "side", "nod", "turn", "cock", "lie")
ARM = ("flex", "abduct", "inward", "elbow")
LEG = ("hip", "spread", "turnout", "knee")
NAMES = (*TRUNK, *(f"{side}.{n}" for side in "LR" for n in ARM), *(f"{side}.{n}" for side in "LR" for n in LEG))
EASE = {"abduct": 10, "inward": 18, "elbow": 25, "spread": 4, "turnout": 8, "knee": 4}  # degrees; the rest 0
# How far from ease is nothing unusual, degrees.
LOOSE = {
    "lean": 14, "tilt": 7, "twist": 14, "bend": 14, "side": 9, "nod": 16, "turn": 24, "cock": 10, "lie": 12, "flex": 45,
    "abduct": 35, "inward": 45, "elbow": 55, "hip": 40, "spread": 14, "turnout": 14, "knee": 40,
}  # fmt: skip
FEWEST_KEYPOINTS = 5
STARTS = 4
STEPS = 160


def turn(axis: int, degrees: torch.Tensor) -> torch.Tensor:
    """(N,) → (N, 3, 3), as `turn_x`, `turn_y`, `turn_z` of bodies.py."""
    a = degrees * (math.pi / 180)
    c, s, one, zero = a.cos(), a.sin(), torch.ones_like(a), torch.zeros_like(a)
    rows = (
        (one, zero, zero, zero, c, -s, zero, s, c),
        (c, zero, s, zero, one, zero, -s, zero, c),
        (c, -s, zero, s, c, zero, zero, zero, one),
    )[axis]
    return torch.stack(rows, dim=-1).reshape(*a.shape, 3, 3)


class Puppet:
    """The average body: angles (N, 25) in degrees → keypoints (N, 17, 3) in the body frame, pelvis at the origin."""

    def __init__(self) -> None:
        people = load_people()
        _, _, joints, keypoints = people.rest(np.zeros(people.shapes.shape[1]))
        self.bones = list(people.bones)
        self.parents = people.parents
        self.joints = torch.as_tensor(joints, dtype=torch.float32)
        self.keypoints = torch.as_tensor(keypoints, dtype=torch.float32)
        self.rest = {k: torch.as_tensor(v, dtype=torch.float32) for k, v in rest_frames().items()}
        self.height = 1.66

    def __call__(self, angles: torch.Tensor) -> torch.Tensor:
        """The same chain of turns as `stance`, without hands and feet."""
        a = dict(zip(NAMES, angles.unbind(-1), strict=True))
        root = turn(0, a["lie"])
        pelvis = root @ turn(2, a["tilt"]) @ turn(0, a["lean"])
        half = turn(1, a["twist"] / 2) @ turn(2, -a["side"] / 2) @ turn(0, a["bend"] / 2)
        quarter = turn(1, a["twist"] / 4) @ turn(2, -a["side"] / 4) @ turn(0, a["bend"] / 4)
        chest = pelvis @ half @ half
        bone = {"root": pelvis, "pelvis.L": pelvis, "pelvis.R": pelvis, "spine05": pelvis @ quarter}
        bone |= {"spine04": bone["spine05"], "spine03": pelvis @ half, "spine02": chest, "spine01": chest}
        for name, t in (("neck01", 0.25), ("neck02", 0.5), ("neck03", 0.75), ("head", 1.0)):
            bone[name] = chest @ turn(1, t * a["turn"]) @ turn(2, -t * a["cock"]) @ turn(0, t * a["nod"])
        for S, s in (("L", 1.0), ("R", -1.0)):
            flex, abduct, inward, elbow = (a[f"{S}.{n}"] for n in ARM)
            raised = ((torch.maximum(flex, abduct) - 35) / 130).clamp(0, 1)
            ahead = (flex / 90).clamp(-0.3, 1) * (1 - abduct / 90).clamp(0, 1)
            bone[f"clavicle.{S}"] = chest @ turn(1, -s * 12 * ahead) @ turn(2, s * 22 * raised)
            bone[f"shoulder01.{S}"] = bone[f"clavicle.{S}"] @ turn(2, s * (10 * raised - 8))
            upper = chest @ turn(2, s * abduct) @ turn(0, -flex) @ turn(1, -s * inward)
            bone[f"upperarm01.{S}"] = bone[f"upperarm02.{S}"] = upper @ self.rest[f"arm.{S}"]
            bone[f"lowerarm01.{S}"] = bone[f"lowerarm02.{S}"] = upper @ turn(0, -elbow) @ self.rest[f"forearm.{S}"]
            hip, spread, turnout, knee = (a[f"{S}.{n}"] for n in LEG)
            thigh = root @ turn(2, s * spread) @ turn(0, -hip) @ turn(1, s * turnout)
            bone[f"upperleg01.{S}"] = bone[f"upperleg02.{S}"] = thigh @ self.rest[f"thigh.{S}"]
            bone[f"lowerleg01.{S}"] = bone[f"lowerleg02.{S}"] = thigh @ turn(0, knee) @ self.rest[f"shank.{S}"]
        heads = {"root": torch.zeros(*angles.shape[:-1], 3)}
        for b, name in enumerate(self.bones):
            if name in bone and name != "root":
                parent = self.bones[self.parents[b]]
                heads[name] = heads[parent] + bone[parent] @ (self.joints[b] - self.joints[self.parents[b]])
        out = []
        for k, carrier in enumerate(CARRIERS):
            offset = self.keypoints[k] - self.joints[self.bones.index(carrier)]
            out.append(heads[carrier] + bone[carrier] @ offset)
        return torch.stack(out, dim=-2)


def fit(points: torch.Tensor, known: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    """points: (N, 17, 2) pixels, y down; known: (N, 17) 0/1.

    Returns angles (N, 25), yaw and pitch (N,) degrees, pixels a metre (N,), pelvis (N, 2) pixels, and the error (N,),
    the median distance in metres of the body.
    """
    N, K = len(points), len(NAMES)
    puppet = Puppet()
    limits = torch.tensor([LIMITS[n.split(".")[-1]] for n in NAMES], dtype=torch.float32)
    ease = torch.tensor([EASE.get(n.split(".")[-1], 0) for n in NAMES], dtype=torch.float32)
    loose = torch.tensor([LOOSE[n.split(".")[-1]] for n in NAMES], dtype=torch.float32)
    starts = ease + 0.5 * loose * torch.randn(STARTS, N, K, generator=generator)
    seated = torch.arange(STARTS)[:, None] % 3 == 2
    for S in "LR":
        starts[:, :, NAMES.index(f"{S}.hip")] += 75.0 * seated
        starts[:, :, NAMES.index(f"{S}.knee")] += 75.0 * seated
    yaw = torch.arange(STARTS).float()[:, None] * (360 / STARTS) + torch.zeros(N)
    pitch = torch.full((STARTS, N), 6.0)
    weights = known / known.sum(dim=1, keepdim=True)
    centre = (points * weights[..., None]).sum(dim=1)
    spread = ((points - centre[:, None]).square().sum(-1) * weights).sum(-1).sqrt().clamp_min(1)
    target = (points - centre[:, None]) / spread[:, None, None]  # (N, 17, 2), deviation 1

    raw = torch.logit(((starts - limits[:, 0]) / (limits[:, 1] - limits[:, 0])).clamp(0.02, 0.98)).requires_grad_()
    free = torch.stack([yaw / 60, pitch / 20], dim=-1).requires_grad_()
    optimiser = torch.optim.Adam([{"params": [raw], "lr": 0.06}, {"params": [free], "lr": 0.06}])

    def look() -> tuple[torch.Tensor, ...]:
        angles = limits[:, 0] + torch.sigmoid(raw) * (limits[:, 1] - limits[:, 0])
        body = puppet(angles)  # (S, N, 17, 3)
        facing = turn(0, 20 * free[..., 1]) @ turn(1, 60 * free[..., 0])
        flat = torch.einsum("snij,snkj->snki", facing, body)[..., :2] * torch.tensor([1.0, -1.0])
        # The best size and place have a closed form; the size may not grow without bound when little is seen.
        middle = (flat * weights[..., None]).sum(dim=2, keepdim=True)
        shape = flat - middle
        dot = (shape * target * weights[..., None]).sum(dim=(2, 3))
        size = (dot / (shape.square() * weights[..., None]).sum(dim=(2, 3))).clamp_min(0.2)
        wrong = (size[..., None, None] * shape - target) / size[..., None, None]  # metres of the body
        return angles, size, middle[:, :, 0], wrong

    for _ in range(STEPS):
        angles, size, _, wrong = look()
        square = wrong.square().sum(dim=-1)
        robust = (0.04**2) * ((1 + square / 0.04**2).sqrt() - 1)  # metres; a misplaced keypoint pulls little
        data = (robust * known).sum(dim=-1) / 0.03**2
        prior = 0.12 * ((angles - ease) / loose).square().sum(dim=-1) + 0.3 * ((20 * free[..., 1] - 6) / 12).square()
        cost = data + prior
        optimiser.zero_grad()
        cost.sum().backward()
        optimiser.step()
    with torch.no_grad():
        angles, size, middle, wrong = look()
        best = cost.argmin(dim=0)
        pick = torch.arange(N)
        distance = wrong.square().sum(dim=-1).sqrt()[best, pick]
        error = torch.where(known > 0, distance, torch.nan).nanmedian(dim=1).values
        size, middle = size[best, pick] * spread, middle[best, pick]
        yaw = (60 * free[best, pick, 0] + 180) % 360 - 180
        pelvis = centre - size[:, None] * middle
        return angles[best, pick], yaw, 20 * free[best, pick, 1], size, pelvis, error, cost[best, pick]


def main() -> None:
    """Fit, and write what is plausible."""
    parser = argparse.ArgumentParser()
    parser.add_argument("layouts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", type=Path, help="COCO json whose pictures are left out")
    parser.add_argument("--pictures", type=int, default=3000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = np.load(options.layouts)
    skip = set()
    if options.without:
        content = json.loads(options.without.read_text())
        skip = {int(Path(image["file_name"]).stem.split("_")[-1]) for image in content["images"]}
    rng = np.random.default_rng(0)
    usable = (data["visibility"] > 0).sum(axis=1) >= FEWEST_KEYPOINTS
    ids = np.unique(data["image_id"][usable])
    ids = np.array([i for i in ids.tolist() if i not in skip])
    chosen = rng.permutation(ids)[: options.pictures]
    member = np.flatnonzero(usable & np.isin(data["image_id"], chosen))
    fractions = data["keypoints"][member].astype(np.float32) / 32767
    known = torch.as_tensor((data["visibility"][member] > 0).astype(np.float32))
    picture = data["image_id"][member]
    generator = torch.Generator().manual_seed(0)
    # The shape of the pictures is not in the file. Most are 4:3, one way or the other: the one that makes bodies.
    fits = {}
    for aspect in (4 / 3, 3 / 4):
        points = torch.as_tensor(fractions * np.array([aspect, 1.0], np.float32) * 480)
        parts = []
        for start in range(0, len(member), 1500):
            parts.append(fit(points[start : start + 1500], known[start : start + 1500], generator))
            print(f"{aspect:.2f}: {start + len(parts[-1][0])} of {len(member)}", flush=True)
        fits[aspect] = [torch.cat(column).numpy() for column in zip(*parts, strict=True)]
    _, index = np.unique(picture, return_inverse=True)
    costs = [np.bincount(index, fits[a][6]) for a in fits]
    wide = costs[0] < costs[1]
    kept = [np.where(wide[index].reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(*fits.values(), strict=True)]
    angles, yaw, pitch, size, pelvis, error, _ = kept
    aspect = np.where(wide, 4 / 3, 3 / 4)[index]
    fair = (error < 0.07) & (size > 2) & (size < 2000)
    print(f"{len(wide)} pictures, {wide.mean():.0%} wide; {fair.mean():.0%} of {len(member)} people explained")
    print("median error of those: %.1f cm" % (100 * np.median(error[fair])))
    limits = np.array([LIMITS[n.split(".")[-1]] for n in NAMES], np.float32)
    share = (angles - limits[:, 0]) / (limits[:, 1] - limits[:, 0])
    order = np.flatnonzero(fair)[np.argsort(index[fair], kind="stable")]
    _, first = np.unique(index[order], return_index=True)
    place = np.stack([pelvis[:, 0] / (480 * aspect), pelvis[:, 1] / 480], axis=1)
    np.savez_compressed(
        options.out,
        names=np.array(NAMES),
        angles=np.round(np.clip(share, 0, 1) * 255).astype(np.uint8)[order],
        yaw=np.round(yaw / 2).astype(np.int8)[order],
        pitch=np.clip(np.round(pitch * 2), -127, 127).astype(np.int8)[order],
        # Pixels a metre as a share of the picture's height, and the pelvis as fractions of width and height.
        size=np.log2(size / 480).astype(np.float16)[order],
        place=np.clip(place, -3, 4).astype(np.float16)[order],
        first=first.astype(np.int32),
        about="fitted to annotations of COCO train2017 (COCO Consortium, CC BY 4.0); no pictures",
    )
    print(f"{options.out}: {len(first)} layouts, {len(order)} people, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
