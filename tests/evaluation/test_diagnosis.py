import numpy as np
from made_people import annotations, person, picture, result

from scalepose.evaluation.diagnosis import KINDS, diagnose
from scalepose.skeletons import COCO17

A, B = person(1, size=200), person(2, at=(350, 100), size=200)
TRUTH = annotations(picture(1, A, B))


def changed(k, x, y):
    entry = result(1, A)
    entry["keypoints"][3 * k : 3 * k + 3] = [float(x), float(y), 1.0]
    return entry


def kinds(entry, k):
    counts = diagnose(TRUTH, [entry]).keypoints[COCO17.keypoints[k]]
    return [kind for kind in KINDS if counts[kind]]


def test_all_right():
    found = diagnose(TRUTH, [result(1, A), result(1, B)])
    assert found.people == {"annotated": 2, "found": 2, "poor": 0, "missed": 0, "duplicate": 0, "false": 0}
    assert found.totals == dict.fromkeys(KINDS, 0) | {"good": 34}


def test_people():
    poor = result(1, B, 0.7)
    rows = np.array(poor["keypoints"]).reshape(-1, 3)
    rows[:12, :2] += 90
    poor["keypoints"] = rows.reshape(-1).tolist()
    found = [result(1, A, 0.9), result(1, A, 0.8, shift=2), poor, result(1, person(at=(0, 380), size=50), 0.6)]
    assert diagnose(TRUTH, found).people == {
        "annotated": 2, "found": 1, "poor": 1, "missed": 0, "duplicate": 1, "false": 1,
    }  # fmt: skip
    assert diagnose(TRUTH, found, score=0.85).people == {
        "annotated": 2, "found": 1, "poor": 0, "missed": 1, "duplicate": 0, "false": 0,
    }  # fmt: skip


def test_whoever_stands_in_a_crowd_is_not_false():
    truth = annotations(picture(1, person(1, crowd=True)))
    found = diagnose(truth, [result(1, person(1)), result(1, person(1)), result(1, person(1), shift=12)])
    assert set(found.people.values()) == set(found.totals.values()) == {0}


def test_keypoints():
    left_knee, right_knee = 13, 14
    x, y, _ = A.keypoints[left_knee]
    spread = 2 * 0.087 * np.sqrt(A.area)  # similarity exp(-d²/2) at d spreads
    assert kinds(changed(left_knee, x + 0.5 * spread, y), left_knee) == ["good"]
    assert kinds(changed(left_knee, x + 1.0 * spread, y), left_knee) == ["jitter"]
    assert kinds(changed(left_knee, 5, 470), left_knee) == ["miss"]
    assert kinds(changed(left_knee, *A.keypoints[right_knee, :2]), left_knee) == ["inversion"]
    assert kinds(changed(left_knee, *B.keypoints[left_knee, :2]), left_knee) == ["swap"]
    assert kinds(changed(left_knee, *B.keypoints[right_knee, :2]), left_knee) == ["swap"]


def test_a_keypoint_not_given_is_absent_and_one_not_labelled_does_not_count():
    entry = result(1, A)
    entry["keypoints"][:3] = [0.0, 0.0, 0.0]
    assert kinds(entry, 0) == ["absent"]
    truth = annotations(picture(1, person(1, size=200, visible=[0] + [1] * 16)))
    assert set(diagnose(truth, [entry]).keypoints["nose"].values()) == {0}
