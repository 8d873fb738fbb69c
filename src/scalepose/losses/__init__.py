"""How wrong the maps are: the heatmap loss and the associative-embedding loss (section 3.3 of HigherHRNet)."""

from scalepose.losses.associative import associative_loss
from scalepose.losses.heatmap import heatmap_loss

__all__ = ["associative_loss", "heatmap_loss"]
