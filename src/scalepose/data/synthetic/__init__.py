"""Rendered people: pictures with exact labels from nothing but a seed, with NumPy and OpenCV alone.

postures → bodies → figures (surfaces, heads, textures) → scenes (cameras, places, props) → rendering → files.
"""

from scalepose.data.synthetic.files import write_scenes as write_scenes
from scalepose.data.synthetic.rendering import render as render
from scalepose.data.synthetic.rendering import render_scene as render_scene
from scalepose.data.synthetic.scenes import Scene as Scene

__all__ = ["Scene", "render", "render_scene", "write_scenes"]
