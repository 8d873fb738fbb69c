"""How wrong the maps are: the heatmap loss and the associative-embedding loss (section 3.3 of HigherHRNet), the loss of
the centre offsets, an option of ours, and the losses of the crop heads.
"""

from scalepose.losses.associative import associative_loss
from scalepose.losses.centre import centre_loss
from scalepose.losses.heatmap import heatmap_loss

__all__ = ["associative_loss", "centre_loss", "heatmap_loss"]
