import hashlib
import json
import math

from scalepose.evaluation.provenance import commit, hardware, sha256, versions
from scalepose.evaluation.receipts import Failure, Receipt, System

RECEIPT = Receipt(
    protocol="coco",
    metrics={"AP": 0.5, "APL": math.nan},
    heights={"<32": {"AP": math.nan, "people": 0}, ">256": {"AP": 0.25, "people": 3}},
    errors={"people": {"found": 2, "missed": 1}},
    annotations="people.json",
    annotations_sha256="ab",
    pictures=4,
    people=3,
    problems=["people.json: annotation 3: has no bbox"],
    failures=[Failure("a.jpg", "is empty")],
    system=System("small", "cd", "onnxruntime", "paper", True, (0.5, 1.0)),
    seconds=2.0,
)


def test_json_is_strict_and_complete():
    plain = json.loads(RECEIPT.to_json(), parse_constant=lambda name: 1 / 0)
    assert (plain["AP"], plain["APL"]) == (0.5, None)
    assert plain["heights"]["<32"] == {"AP": None, "people": 0}
    assert plain["failures"] == [{"file": "a.jpg", "reason": "is empty"}]
    assert plain["model_sha256"] == "cd"
    assert plain["scales"] == [0.5, 1.0]
    assert plain["command"]
    assert {"python", "numpy", "scalepose"} <= plain["versions"].keys()
    assert plain["hardware"]["cores"] >= 1


def test_table_for_people():
    text = str(RECEIPT)
    for part in ("small · onnxruntime · profile paper · protocol coco", "0.500", "0.250", "–", "2.00 pictures/s"):
        assert part in text
    assert "1 pictures failed" in text
    ends = {len(line) for line in text.splitlines()[3:5]}
    assert len(ends) == 1  # columns


def test_provenance(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    assert sha256(file) == hashlib.sha256(b"abc").hexdigest()
    assert versions()["scalepose"]
    assert hardware()["processor"]
    found = commit()
    assert found is None or len(found.removesuffix("+changes")) == 40
