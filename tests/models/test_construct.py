"""Networks by name, of either kind."""

import pytest
import torch

from scalepose.errors import ScaleposeError
from scalepose.models import BottomUp, TopDown, create
from scalepose.models.construct import construct
from scalepose.models.cropcards import CROP_MODELS
from scalepose.models.zoo import MODELS
from scalepose.skeletons import CROWDPOSE14


def test_every_kind_of_card_has_its_network():
    with torch.device("meta"):
        assert isinstance(construct(MODELS["hrnet-ae-w32-512"]), BottomUp)
        for name in ("hrnet-w16-64x48", "cal-w16-64x48", "cal-light-w16-64x48", "simplebaseline-r50-128x96"):
            assert isinstance(construct(CROP_MODELS[name]), TopDown)


def test_create_makes_both_kinds():
    assert isinstance(create("default"), BottomUp)
    model = create("cal-light-w16-64x48", CROWDPOSE14)
    assert isinstance(model, TopDown)
    assert model.card.skeleton == CROWDPOSE14
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 64, 48)).offsets.shape == (2, 14, 2, 16, 12)


def test_an_unknown_name():
    with pytest.raises(ScaleposeError, match="no model is called"):
        create("cal-w99")
