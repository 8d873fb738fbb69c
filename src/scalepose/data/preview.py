"""What the network is taught, as a picture for people: a grid of augmented pictures with their targets drawn over.

Everything drawn comes from the batch, after augmentation and target making, so a fault anywhere before shows here.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from scalepose.data.batches import Batch
from scalepose.poses import Poses
from scalepose.skeletons import Skeleton

_GAP = 6  # pixels between pictures
_GLOW = (255, 190, 60)
_HATCH = 12  # pixels from stripe to stripe where nobody knows who is there
_CROP_TILE = 256  # pixels that the longer side of a crop is enlarged to, by whole factors


def preview(batch: Batch, skeleton: Skeleton, columns: int = 4) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a grid of the pictures of the batch.

    Striped and dark: left out of the loss, at the finest resolution. Glowing: the finest heatmaps, all keypoint types
    of this data set at once. Points and limbs: where tags are compared, one colour a person, right sides darker; they
    lie on centres of the coarsest map's pixels.
    """
    return _grid([_tile(batch, b, skeleton) for b in range(len(batch))], columns)


def preview_crops(
    images: np.ndarray,
    heatmaps: np.ndarray,
    places: np.ndarray,
    counts: np.ndarray,
    skeleton: Skeleton,
    columns: int = 8,
) -> np.ndarray:
    """(H, W, 3) uint8 RGB: a grid of B crops, enlarged by whole factors.

    images: (B, H, W, 3) uint8 RGB, as the network gets them. Glowing: heatmaps (B, K, h, w), 0 to 1. Points and limbs:
    places (B, K, 2), x and y of map pixels, of the keypoints that count, (B, K) bool.
    """
    tiles = []
    for image, maps, pixels, known in zip(images, heatmaps, places, counts, strict=True):
        H, W = image.shape[:2]
        factor = max(1, _CROP_TILE // max(H, W))
        tile = cv2.resize(image, (factor * W, factor * H), interpolation=cv2.INTER_NEAREST)
        step = np.array(tile.shape[1::-1]) / maps.shape[:0:-1]  # pixels of the tile per pixel of the maps, x and y
        points = np.where(known[:, None], (pixels + 0.5) * step, np.nan)
        people = Poses(points[None], known[None], np.ones(1), skeleton)
        tiles.append(people.draw(_glowing(tile, maps.max(axis=0)).astype(np.uint8)))
    return _grid(tiles, columns)


def _grid(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Tiles of one size, (h, w, 3), in rows."""
    columns = min(columns, len(tiles))
    h, w = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    grid = np.full((rows * (h + _GAP) + _GAP, columns * (w + _GAP) + _GAP, 3), 255, np.uint8)
    for n, tile in enumerate(tiles):
        y, x = (_GAP + place * (side + _GAP) for place, side in zip(divmod(n, columns), (h, w), strict=True))
        grid[y : y + h, x : x + w] = tile
    return grid


def _glowing(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(H, W, 3) float: the picture, lit where heat (h, w) is."""
    H, W = image.shape[:2]
    glow = cv2.resize(heat, (W, H), interpolation=cv2.INTER_LINEAR)[..., None] * 0.7
    return image * (1 - glow) + np.array(_GLOW) * glow


def _tile(batch: Batch, b: int, skeleton: Skeleton) -> np.ndarray:
    image = batch.images[b].cpu().numpy().transpose(1, 2, 0)  # (H, W, 3)
    H, W = image.shape[:2]
    tile = _glowing(image, (batch.heatmaps[-1][b] * batch.channels[b, :, None, None]).amax(dim=0).cpu().numpy())
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
