"""The scale benchmark: 200 fixed scenes in which only people's height in the picture and their crowding change.

Heights are octaves from 16 to 512 pixels, crowds of 1, 2, 4 and 8 people share the same stretch of ground, somewhat
wider than a body is tall: alone, side by side, shoulder to shoulder, one behind the other. Every combination has eight
scenes, and eight more scenes show nobody. All people are on their feet and nothing else stands in front of them.
COCO's annotated photos cannot tell height from crowding, blur or posture; here each is held still in turn.
"""

import numpy as np

from scalepose.data.synthetic.layouts import Layout, Placed
from scalepose.data.synthetic.postures import sample_posture
from scalepose.data.synthetic.scenes import TALL, Scene, arrange

SIZE = (640, 640)  # pixels of every picture
HEIGHTS = (16, 32, 64, 128, 256, 512)  # pixels from sole to crown of somebody who stands straight
CROWDS = (1, 2, 4, 8)  # people
COUNT = 200
WIDTH = 1.15  # of the ground that a crowd shares, in body heights
_SEED = 512
_POSTURES = (
    "stand", "one leg eased", "walk", "wave", "hands on hips", "arms crossed", "look at a phone", "carry", "point",
    "reach up", "arms wide",
)  # fmt: skip


def benchmark_scene(index: int) -> tuple[Scene, dict[str, str]]:
    """Scene 0 to COUNT - 1, and the groups that it belongs to, by kind; none where nobody is."""
    rng = np.random.default_rng((_SEED, index))
    cells = len(HEIGHTS) * len(CROWDS)
    if index >= COUNT // cells * cells:
        return arrange(rng, Layout((), float(rng.normal(4, 3))), *SIZE), {}
    height, people = HEIGHTS[index % len(HEIGHTS)], CROWDS[index // len(HEIGHTS) % len(CROWDS)]
    share = height / SIZE[1]  # of the picture's height
    room = max(0.0, 1 - WIDTH * share - 0.05)
    left = 0.5 + (float(rng.random()) - 0.5) * room - WIDTH * share / 2
    middle = 0.5 + (float(rng.random()) - 0.5) * max(0.0, 0.9 - 1.2 * share) * 0.5
    placed = []
    for n, slot in enumerate(rng.permutation(people)):
        across = left + WIDTH * share * (slot + 0.5 + 0.2 * float(rng.uniform(-1, 1))) / people
        behind = 1 - 0.04 * (n % 3)  # who stands further back looks a little smaller
        posture = sample_posture(rng, str(rng.choice(_POSTURES)))
        placed.append(Placed(posture, float(rng.uniform(-180, 180)), share * behind / TALL, (across, middle)))
    scene = arrange(rng, Layout(tuple(placed), float(rng.normal(4, 3))), *SIZE)
    return scene, {"person height": str(height), "people in the crowd": str(people)}
