import resource

import pytest

from scalepose.errors import ScaleposeError
from scalepose.evaluation.journal import Journal, read_journal

LINES = [
    {"image_id": 1, "seconds": 0.5, "people": [{"image_id": 1, "score": 1.0}]},
    {"image_id": "b", "seconds": 0.5, "failure": "is empty"},
    {"image_id": 3, "seconds": 0.5, "people": []},
]


def write(path, finish=False, key=None):
    with Journal(path, key or {"profile": "fast", "scales": (1.0, 2.0)}) as journal:
        for line in LINES:
            journal.add(line)
        if finish:
            journal.finish()


def test_an_unfinished_one_goes_on_without_its_failures(tmp_path):
    path = tmp_path / "folder" / "journal.jsonl"
    write(path)
    with Journal(path, {"profile": "fast", "scales": (1.0, 2.0)}) as journal:
        assert journal.done == {1: LINES[0], 3: LINES[2]}
        journal.add({"image_id": "b", "seconds": 1.0, "people": []})
        journal.finish()
    assert read_journal(path) == LINES[0]["people"]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_cut_off_by_a_kill_is_done_again(tmp_path, cut):
    path = tmp_path / "journal.jsonl"
    write(path)
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, {"profile": "fast", "scales": (1.0, 2.0)}) as journal:
        assert list(journal.done) == [1]
        journal.add(LINES[2])
        journal.finish()
    assert path.read_text().count("\n") == 5


def test_a_finished_one_is_replaced(tmp_path):
    path = tmp_path / "journal.jsonl"
    write(path, finish=True)
    with Journal(path, {"profile": "paper"}) as journal:
        assert journal.done == {}
    assert path.read_text().count("\n") == 1


def test_an_unfinished_one_of_something_else_is_kept(tmp_path):
    path = tmp_path / "journal.jsonl"
    write(path)
    with pytest.raises(ScaleposeError, match="unfinished evaluation with another profile"):
        Journal(path, {"profile": "paper", "scales": (1.0, 2.0)})
    with pytest.raises(ScaleposeError, match="unfinished"):
        read_journal(path)


@pytest.mark.parametrize("content", ["[1]\n", "{}\n", "no json\n", '{"scalepose_evaluation": {}}\n3\n', "no line"])
def test_another_file_is_never_replaced(tmp_path, content):
    path = tmp_path / "journal.jsonl"
    path.write_text(content)
    with pytest.raises(ScaleposeError, match="not written by scalepose"):
        Journal(path, {})
    assert path.read_text() == content


def test_without_a_file_nothing_is_kept():
    with Journal(None, {}) as journal:
        journal.add(LINES[0])
        journal.finish()
    assert journal.done == {}


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ScaleposeError, match="cannot be read"):
        Journal(tmp_path, {})


def test_the_last_line_of_a_picture_counts(tmp_path):
    path = tmp_path / "journal.jsonl"
    write(path)
    again = [{"image_id": 1, "seconds": 0.5, "failure": "is empty"}, LINES[2] | {"people": [{"image_id": 3}]}]
    for finish in (False, True):
        with Journal(path, {"profile": "fast", "scales": (1.0, 2.0)}) as journal:
            for line in again:
                journal.add(line)
            if finish:
                journal.finish()
    assert journal.done == {3: again[1]}
    assert read_journal(path) == [{"image_id": 3}]


def test_an_empty_file_is_a_new_one(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.touch()
    with pytest.raises(ScaleposeError, match="unfinished"):
        read_journal(path)
    write(path, finish=True)
    assert read_journal(path) == LINES[0]["people"]


def test_a_full_disk_is_a_plain_error_and_loses_no_picture(tmp_path):
    path = tmp_path / "journal.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with Journal(path, {}) as journal:
            journal.add(LINES[0])
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 9, hard))  # as if no more space were left
            with pytest.raises(ScaleposeError, match=r"journal\.jsonl: cannot be .*keeps the pictures done before"):
                journal.add(LINES[2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with Journal(path, {}) as journal:
        assert journal.done == {1: LINES[0]}
