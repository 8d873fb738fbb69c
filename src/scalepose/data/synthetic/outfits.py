"""What people wear, and the atlas of tiles that their surfaces look up: skin, face, hair, cloth, shoes.

Everybody is dressed, in colours that cannot be taken for skin. It knows nothing of surfaces.
"""

from dataclasses import dataclass

import numpy as np

from scalepose.data.synthetic import textures
from scalepose.data.synthetic.bodies import Body
from scalepose.data.synthetic.faces import paint_face
from scalepose.data.synthetic.postures import Posture

SKIN, FACE, HAIR, UPPER, SLEEVE, LOWER, SHOE, EXTRA = range(8)


@dataclass(frozen=True)
class Outfit:
    """sleeve: where the sleeve ends (1 shoulder, 2 elbow, 3 wrist). lower: trousers, shorts or skirt; leg: where it
    ends (0 hip, 1 knee, 2 ankle). hem: lower edge of the top above the hips, as a fraction of the trunk. loose: metres
    between skin and cloth. bag: empty, back, hand or shoulder. hat: True with one.
    """

    sleeve: float
    lower: str
    hem: float
    leg: float
    loose: float
    bag: str
    hat: bool


def sample_outfit(rng: np.random.Generator, body: Body, posture: Posture) -> Outfit:
    """Clothes that go with a body and do not tear in a posture."""
    upright = all(leg["knee"] < 45 and leg["hip"] < 35 for leg in posture.legs)
    stride = abs(posture.legs[0]["hip"] - posture.legs[1]["hip"]) > 35
    skirt = body.frame > 0.5 and not stride and posture.trunk["lie"] == 0 and rng.random() < 0.45
    lower = "skirt" if skirt else str(rng.choice(["trousers", "shorts"], p=[0.76, 0.24]))
    leg = {"trousers": 1.93, "shorts": rng.uniform(0.55, 1.08), "skirt": rng.uniform(0.7, 1.6 if upright else 0.98)}
    return Outfit(
        sleeve=float(rng.choice([1.12, 1.55, 1.65, 2.3, 2.93, 2.96], p=[0.1, 0.25, 0.15, 0.08, 0.21, 0.21])),
        lower=lower,
        hem=0.24 if skirt or rng.random() < 0.4 else float(rng.uniform(-0.08, 0.12)),
        leg=float(leg[lower]),
        loose=float(rng.uniform(0.004, 0.014)),
        bag=str(rng.choice(["", "back", "hand", "shoulder"], p=[0.72, 0.12, 0.08, 0.08])),
        hat=bool(rng.random() < 0.2),
    )


def paint_outfit(rng: np.random.Generator, body: Body, outfit: Outfit) -> np.ndarray:
    """(8·TILE, TILE, 3) uint8 RGB: the tiles SKIN to EXTRA, one below the other."""
    colour = textures.pick(rng, textures.SKINS, 4)
    hair = textures.pick(rng, textures.HAIRS if colour.mean() > 130 else textures.HAIRS[:4], 5)
    cloth = textures.cloth(rng, textures.pick(rng, textures.CLOTHS, unlike=colour))
    if outfit.lower == "skirt" and rng.random() < 0.5:
        lower = cloth  # a dress
    else:
        patterned = 0.4 if outfit.lower == "skirt" else 0.08
        lower = textures.cloth(rng, textures.pick(rng, textures.TROUSERS, unlike=colour), patterned)
    extra = textures.pick(rng, textures.CLOTHS)
    straps = extra * 0.8 if outfit.bag == "back" else None
    tiles = {
        SKIN: textures.skin(rng, colour),
        FACE: paint_face(rng, colour, hair, body.maturity, body.frame),
        HAIR: textures.hair(rng, hair),
        UPPER: textures.folded(rng, textures.upper(rng, cloth, colour, body.trunk * (1 - outfit.hem), straps)),
        SLEEVE: textures.folded(rng, cloth),
        LOWER: textures.folded(rng, lower),
        SHOE: textures.shoe(rng, textures.pick(rng, textures.SHOES)),
        EXTRA: textures.folded(rng, textures.plain(extra), 0.04),
    }
    return np.concatenate([tiles[i] for i in sorted(tiles)])
