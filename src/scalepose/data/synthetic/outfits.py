"""What people wear: which garments, how far they reach and how loose they are, and the tiles that show them.

Everybody is dressed, in colours that cannot be taken for skin. It knows nothing of postures or cameras.
"""

from dataclasses import dataclass

import numpy as np

from scalepose.data.synthetic import garments, textures
from scalepose.data.synthetic.belongings import CHANCES, KINDS
from scalepose.data.synthetic.bodies import Body
from scalepose.data.synthetic.faces import paint_eye, paint_face
from scalepose.data.synthetic.people import ARM, LEG, SHOE, SKIRT, TRUNK, Level
from scalepose.data.synthetic.postures import Posture

HAIR, EXTRA, TILES = 8, 9, 10  # tiles after those of the charts


@dataclass(frozen=True)
class Outfit:
    """sleeve, leg, hem: where they end on the arm, the leg and the trunk, 0…1 of the chart. skirt: "", "skirt", "dress"
    or "coat"; drop: where it ends, 0…1. top, bottom: metres between skin and cloth above and below the waist. flare:
    metres more towards the ankle or the skirt's edge. belonging: one of `belongings.KINDS`. hat: True with one.
    """

    sleeve: float
    leg: float
    hem: float
    skirt: str
    drop: float
    top: float
    bottom: float
    flare: float
    belonging: str
    hat: bool

    def thickness(self, level: Level, height: float) -> np.ndarray:
        """(v,) metres by which cloth stands off every vertex of a body of that height."""
        v, chart = level.along, level.chart
        out = np.zeros(len(v), np.float32)
        on = chart == TRUNK
        hanging = 0.4 * (self.hem > garments.WAIST[1])  # what is not tucked in
        top = np.clip((v[on] - 0.04) / 0.1, 0, 1) + hanging * np.clip((v[on] - 0.35) / 0.3, 0, 1)
        out[on] = np.where(v[on] < self.hem, self.top * top, 0.5 * self.bottom + 0.002)
        on = chart == ARM
        out[on] = self.top * (0.6 + 0.5 * v[on]) * np.clip((self.sleeve - v[on]) / 0.05 + 1, 0, 1)
        on = chart == LEG
        leg = self.bottom * np.clip(0.5 + v[on], 0.5, 1.2) + self.flare * np.clip(v[on] - 0.3, 0, 1)
        out[on] = leg * np.clip((self.leg - v[on]) / 0.03 + 1, 0, 1)
        out[chart == SHOE] = 0.006
        on = chart == SKIRT
        out[on] = 0.008 + max(self.bottom, self.top * (self.skirt == "coat")) + self.flare * v[on]
        return out * np.float32(height / 1.7)


def sample_outfit(rng: np.random.Generator, body: Body, posture: Posture) -> Outfit:
    """Clothes that go with a body and do not tear in a posture."""
    upright = all(leg["knee"] < 45 and leg["hip"] < 35 for leg in posture.legs)
    stride = abs(posture.legs[0]["hip"] - posture.legs[1]["hip"]) > 40
    spread = max(leg["spread"] for leg in posture.legs) > 28
    fits = not (stride or spread) and posture.trunk["lie"] == 0
    skirt = ""
    if fits and body.femininity > 0.5 and rng.random() < 0.36:
        skirt = "skirt" if rng.random() < 0.5 else "dress"
    elif fits and upright and rng.random() < 0.08:
        skirt = "coat"
    shorts = rng.random() < 0.26
    end = float(rng.uniform(*garments.SHORTS)) if shorts else float(rng.choice([0.8, garments.TROUSERS], p=[0.1, 0.9]))
    tights = skirt in ("skirt", "dress")
    if tights:
        end = float(rng.choice([0.2, garments.TROUSERS], p=[0.7, 0.3]))
    top = float(rng.choice([rng.uniform(0.003, 0.01), rng.uniform(0.01, 0.028)], p=[0.45, 0.55]))
    tucked = tights or rng.random() < 0.3
    return Outfit(
        sleeve=garments.LONG if skirt == "coat" else _sleeve(rng),
        leg=end,
        hem=float(rng.uniform(*(garments.WAIST if tucked else garments.HEM))),
        skirt=skirt,
        drop=float(rng.uniform(0.45, 1.0) if upright else rng.uniform(0.4, 0.62)),
        top=top,
        bottom=0.002 if tights else float(rng.choice([rng.uniform(0.002, 0.007), rng.uniform(0.008, 0.02)])),
        flare=float(rng.uniform(0, 0.03)),
        belonging=str(rng.choice(KINDS, p=CHANCES)),
        hat=bool(rng.random() < 0.2),
    )


def _sleeve(rng: np.random.Generator) -> float:
    kind = rng.choice(["none", "short", "half", "long"], p=[0.08, 0.46, 0.08, 0.38])
    ends = {"none": garments.ARMHOLE, "short": rng.uniform(*garments.SHORT), "half": 0.7, "long": garments.LONG}
    return float(ends[kind])


def paint_outfit(rng: np.random.Generator, body: Body, outfit: Outfit) -> np.ndarray:
    """(TILES·TILE, TILE, 3) uint8 RGB: a tile per chart, then HAIR and EXTRA, one below the other."""
    skin = textures.pick(rng, textures.SKINS, 4)
    dark = skin.mean() < 130
    hair = textures.pick(rng, textures.GREYS if body.age > 0.85 else textures.HAIRS[: 4 if dark else None], 5)
    upper = textures.folded(rng, textures.cloth(rng, textures.pick(rng, textures.CLOTHS, unlike=skin)))
    lower = textures.folded(rng, textures.cloth(rng, textures.pick(rng, textures.TROUSERS, unlike=skin), 0.08))
    hanging = upper
    if outfit.skirt == "skirt":
        lower = hanging = textures.folded(
            rng, textures.cloth(rng, textures.pick(rng, textures.CLOTHS, unlike=skin), 0.4)
        )
    elif outfit.skirt == "dress":
        lower = upper
    stockings = textures.plain(textures.pick(rng, textures.TROUSERS, unlike=skin))
    extra = textures.pick(rng, textures.CLOTHS)
    sock = skin if rng.random() < 0.3 else textures.pick(rng, textures.SOCKS)
    straps = extra * 0.8 if outfit.belonging == "back" else None
    tiles = [
        textures.skin(rng, skin),
        paint_face(rng, skin, hair, body.age, body.femininity),
        paint_eye(rng),
        garments.trunk(rng, upper, lower, skin, outfit.hem, straps),
        garments.sleeve(upper, skin, outfit.sleeve),
        garments.leg(rng, stockings if outfit.skirt in ("skirt", "dress") else lower, skin, outfit.leg, sock),
        garments.shoe(rng, textures.pick(rng, textures.SHOES), sock),
        hanging,
        textures.hair(rng, hair),
        textures.folded(rng, textures.plain(extra), 0.04),
    ]
    return np.concatenate(tiles)
