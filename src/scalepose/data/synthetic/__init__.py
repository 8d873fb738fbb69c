"""Rendered people: pictures with exact labels from nothing but a seed, with NumPy and OpenCV alone.

people (baked bodies) → bodies and postures → outfits → figures → scenes (layouts, cameras, places, props) → rendering
→ files, or an endless training set (dataset). Running it needs neither the body model nor torch; `tools/` holds what
bakes the two assets.
"""

from scalepose.data.synthetic.dataset import RenderedPeople as RenderedPeople
from scalepose.data.synthetic.files import write_benchmark as write_benchmark
from scalepose.data.synthetic.files import write_scenes as write_scenes
from scalepose.data.synthetic.photos import Photos as Photos
from scalepose.data.synthetic.rendering import render as render
from scalepose.data.synthetic.rendering import render_scene as render_scene
from scalepose.data.synthetic.scenes import Scene as Scene

__all__ = ["Photos", "RenderedPeople", "Scene", "render", "render_scene", "write_benchmark", "write_scenes"]
