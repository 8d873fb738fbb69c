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
