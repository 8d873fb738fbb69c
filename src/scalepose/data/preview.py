"""What the network is taught, as a picture for people: a grid of augmented pictures with their targets drawn over.

Everything drawn comes from the `Batch`, after augmentation and target making, so a fault anywhere before shows here.
"""

import cv2
import numpy as np

from scalepose.data.batches import Batch
from scalepose.poses import Poses
from scalepose.skeletons import Skeleton

_GAP = 6  # pixels between pictures
_GLOW = (255, 190, 60)
_HATCH = 12  # pixels from stripe to stripe where nobody knows who is there


def preview(batch: Batch, skeleton: Skeleton, columns: int = 4) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a grid of the pictures of the batch.

    Striped and dark: left out of the loss, at the finest resolution. Glowing: the finest heatmaps, all keypoint types
    of this data set at once. Points and limbs: where tags are compared, one colour a person, right sides darker; they
    lie on centres of the coarsest map's pixels.
    """
    tiles = [_tile(batch, b, skeleton) for b in range(len(batch))]
    columns = min(columns, len(tiles))
    h, w = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    grid = np.full((rows * (h + _GAP) + _GAP, columns * (w + _GAP) + _GAP, 3), 255, np.uint8)
    for n, tile in enumerate(tiles):
        y, x = (_GAP + place * (side + _GAP) for place, side in zip(divmod(n, columns), (h, w), strict=True))
        grid[y : y + h, x : x + w] = tile
    return grid


def _tile(batch: Batch, b: int, skeleton: Skeleton) -> np.ndarray:
    image = batch.images[b].cpu().numpy().transpose(1, 2, 0)  # (H, W, 3)
    H, W = image.shape[:2]
    glow = (batch.heatmaps[-1][b] * batch.channels[b, :, None, None]).amax(dim=0).cpu().numpy()  # (h, w)
    glow = cv2.resize(glow, (W, H), interpolation=cv2.INTER_LINEAR)[..., None] * 0.7
    tile = image * (1 - glow) + np.array(_GLOW) * glow
    known = cv2.resize(batch.masks[-1][b, 0].cpu().numpy(), (W, H), interpolation=cv2.INTER_NEAREST)[..., None] > 0
    stripes = (np.add.outer(np.arange(H), np.arange(W)) % _HATCH < 2)[..., None]
    tile = np.where(known, tile, np.where(stripes, 150, tile * 0.4)).astype(np.uint8)
    return _people(batch, b, skeleton).draw(tile)


def _people(batch: Batch, b: int, skeleton: Skeleton) -> Poses:
    """The people whose tags are compared, at the centres of their pixels of the coarsest map."""
    flat = batch.tag_pixels[b].cpu().numpy()  # (P, K)
    flat = flat[(flat >= 0).any(axis=1)]
    h, w = batch.masks[0].shape[-2:]
    H, W = batch.images.shape[-2:]
    y, x = np.divmod(flat, w)
    points = np.stack([(x + 0.5) * (W / w), (y + 0.5) * (H / h)], axis=-1)
    seen = flat >= 0
    return Poses(np.where(seen[..., None], points, np.nan), seen, np.ones(len(flat)), skeleton)
