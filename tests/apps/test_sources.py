import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalepose.apps.sources import _natural, find_pictures


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """album/: frame1, frame2, frame10, notes.txt, Deep/UPPER.JPG, hidden things."""
    for name in ("frame10.jpg", "frame2.jpg", "frame1.png", "notes.txt", "Deep/UPPER.JPG", ".hidden.jpg", ".git/a.jpg"):
        path = tmp_path / "album" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "album"


def names(*sources: str | Path, leave_out: Path | None = None) -> list[str]:
    found = find_pictures(sources, leave_out)
    assert not found.failures
    return [path.name for path in found.pictures]


def test_folder_is_searched_with_all_below_in_natural_order(album: Path):
    assert names("album") == ["UPPER.JPG", "frame1.png", "frame2.jpg", "frame10.jpg"]


@pytest.mark.parametrize("pattern", ["album/*.jpg", "album/*", "album/**/*.JPG", "album/frame[12]*.jpg", "*"])
def test_quoted_pattern_gives_what_the_shell_gives(album: Path, pattern: str):
    shell = subprocess.run(
        ["bash", "-O", "globstar", "-c", f"printf '%s\\n' {pattern}"], capture_output=True, text=True, check=True
    )
    expanded = [name for name in shell.stdout.splitlines() if not name.endswith(".txt")]
    assert find_pictures([pattern]) == find_pictures(expanded)
    assert find_pictures([pattern]).pictures


def test_absolute_pattern(album: Path):
    assert names(f"{album}/frame?.*") == ["frame1.png", "frame2.jpg"]


def test_file_whose_name_looks_like_a_pattern(album: Path):
    (album / "a[1].jpg").write_bytes(b"x")
    assert names("album/a[1].jpg") == ["a[1].jpg"]


def test_each_place_comes_once_however_it_is_written(album: Path):
    (album.parent / "other").symlink_to(album)
    sources = ["album", "album/frame2.jpg", album / "Deep" / ".." / "frame2.jpg", "./album/*.jpg", "other"]
    assert names(*sources) == ["UPPER.JPG", "frame1.png", "frame2.jpg", "frame10.jpg"]


def test_two_links_to_one_file_are_two_pictures(album: Path):
    (album / "Deep" / "copy.jpg").symlink_to(album / "frame2.jpg")
    assert names("album/Deep", "album/frame2.jpg") == ["copy.jpg", "UPPER.JPG", "frame2.jpg"]


def test_loops_of_links_end(album: Path):
    for k in range(3):  # three loops: 3^40 ways to write each place
        (album / f"loop{k}").symlink_to(album)
    (album / "dangling.jpg").symlink_to(album / "nowhere.jpg")
    assert names("album") == names("album/**") == ["UPPER.JPG", "frame1.png", "frame2.jpg", "frame10.jpg"]
    assert names("album/**/*.jpg") == ["frame2.jpg", "frame10.jpg"]


def test_link_to_itself_is_no_picture(album: Path):
    (album / "round.jpg").symlink_to("round.jpg")
    assert names("album/frame*", "album/*.jpg", leave_out=Path("out")) == names("album/frame*")


def test_explicit_file_of_unknown_suffix_is_left_to_its_content(album: Path):
    assert names("album/notes.txt") == ["notes.txt"]


def test_earlier_drawings_are_not_read_again(album: Path):
    (album / "out").mkdir()
    (album / "out" / "frame1.png").write_bytes(b"x")
    assert len(names("album", leave_out=album / "out")) == 4
    assert len(names("album/**/*.png", leave_out=album / "out")) == 1
    assert len(names("album/*", leave_out=album / "out")) == 4
    (album / "out" / "deep").mkdir()
    (album / "out" / "deep" / "frame3.png").write_bytes(b"x")
    # Asked for by name.
    for source in ("album/out", "album/out/*"):
        assert names(source, leave_out=album / "out") == ["frame3.png", "frame1.png"]
    assert names(f"{album}/out/deep/*.png", leave_out=Path("album/out")) == ["frame3.png"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("album/missing.jpg", "there is no such file or folder"),
        ("album/*.bmp", "no picture fits this pattern"),
        ("album/**x", "pattern"),
        (f"{'long' * 80}/*.jpg", "this pattern cannot be read"),
        ("empty", "this folder holds no picture"),
        ("film.mp4", "this version reads pictures only"),
        ("pipe.jpg", "this is no ordinary file"),
        ("", "there is no such file or folder"),
    ],
)
def test_what_yields_nothing_is_named_and_the_rest_is_found(album: Path, source: str, reason: str):
    Path("empty").mkdir()
    Path("film.mp4").write_bytes(b"x")
    os.mkfifo("pipe.jpg")
    found = find_pictures([source, "album/frame2.jpg"])
    (failure,) = found.failures
    assert failure.source == source
    assert reason in str(failure)
    assert [path.name for path in found.pictures] == ["frame2.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folder_is_named(album: Path):
    (album / "Deep").chmod(0)
    try:
        found = find_pictures(["album"])
    finally:
        (album / "Deep").chmod(0o755)
    assert [str(failure) for failure in found.failures] == [
        "album/Deep: this folder cannot be read (Permission denied)"
    ]
    assert len(found.pictures) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_pictures_that_may_not_be_looked_at_are_left_to_the_reader(album: Path):
    (album / "Deep").chmod(0o444)  # names can be listed, and no more
    try:
        assert names("album") == ["UPPER.JPG", "frame1.png", "frame2.jpg", "frame10.jpg"]
    finally:
        (album / "Deep").chmod(0o755)


@given(st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), min_size=2))
def test_natural_order_can_compare_all_names(texts: list[str]):
    paths = [Path(text) for text in texts]
    assert sorted(sorted(paths, reverse=True), key=_natural) == sorted(paths, key=_natural)
