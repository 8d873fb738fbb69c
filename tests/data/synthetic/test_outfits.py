"""Everybody is dressed, in what cannot be taken for skin."""

import colorsys

import numpy as np
import pytest

from scalepose.data.synthetic import garments
from scalepose.data.synthetic.bodies import Body
from scalepose.data.synthetic.meshes import TILE
from scalepose.data.synthetic.outfits import paint_outfit, sample_outfit
from scalepose.data.synthetic.people import LEG, TRUNK
from scalepose.data.synthetic.postures import sample_posture
from scalepose.data.synthetic.textures import CLOTHS, SKINS, TROUSERS


def hue_and_saturation(colour: tuple[int, int, int]) -> tuple[float, float]:
    """Degrees, and 0…1."""
    hue, saturation, _ = colorsys.rgb_to_hsv(*(value / 255 for value in colour))
    return hue * 360, saturation


def like_skin(colour: tuple[int, int, int]) -> bool:
    hue, saturation = hue_and_saturation(colour)
    return 8 <= hue <= 38 and 0.18 <= saturation <= 0.65


def test_no_cloth_has_a_colour_of_skin():
    assert all(like_skin(colour) for colour in SKINS)
    assert not [colour for colour in CLOTHS + TROUSERS if like_skin(colour)]


@pytest.mark.parametrize("seed", range(40))
def test_trunk_and_hips_are_covered(seed: int):
    rng = np.random.default_rng(seed)
    body = Body.sample(rng)
    outfit = sample_outfit(rng, body, sample_posture(rng))
    atlas = paint_outfit(rng, body, outfit)
    trunk, leg = (atlas[chart * TILE : (chart + 1) * TILE].astype(float) for chart in (TRUNK, LEG))
    bare = atlas[:TILE].reshape(-1, 3).mean(axis=0)  # the tile of skin
    # A pattern may have a spot of any colour.
    assert (np.abs(trunk[int(0.25 * TILE) :] - bare).sum(axis=2) < 25).mean() < 0.03
    assert outfit.leg > 0.15  # below the crotch
    assert (np.abs(leg[: int(0.14 * TILE)] - bare).sum(axis=2) < 25).mean() < 0.03
    assert outfit.sleeve >= garments.ARMHOLE
