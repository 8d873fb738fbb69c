"""`scalepose synth`: rendered people as a data set, with a progress bar."""

from pathlib import Path

from tqdm import tqdm

from scalepose.data.synthetic import write_scenes


def synth_command(count: int, out: Path, seed: int, size: tuple[int, int], people: int | None) -> int:
    """Render `count` pictures of size (W, H) into `out` and say where. Returns the exit status, 0.

    Raises ScaleposeError when the folder cannot be written or holds other pictures.
    """
    with tqdm(total=count, unit="picture", disable=None) as bar:

        def advance(done: int) -> None:
            bar.update(done - bar.n)

        path = write_scenes(count, out, seed, size, people, advance)
    print(f"{path}: {count} pictures with people, their keypoints and outlines")
    return 0
