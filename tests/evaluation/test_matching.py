import numpy as np
from made_people import annotations, person, picture, result

from scalepose.evaluation.matching import match, scenes

HALF = np.array([0.5])


def taken(similarity, crowd=None, ignored=None, thresholds=HALF):
    similarity = np.array(similarity, float)
    crowd = np.zeros(similarity.shape[1], bool) if crowd is None else np.array(crowd, bool)
    ignored = crowd if ignored is None else np.array(ignored, bool)
    return match(similarity, crowd, ignored[None], thresholds)[0].tolist()


def test_the_best_score_chooses_first_and_takes_the_most_similar():
    assert taken([[0.6, 0.7], [0.9, 0.8]]) == [[1, 0]]


def test_a_person_is_taken_once():
    assert taken([[0.9], [0.9]]) == [[0, -1]]


def test_a_crowd_is_taken_any_number_of_times():
    assert taken([[0.9], [0.9]], crowd=[1]) == [[0, 0]]


def test_an_ignored_person_only_when_no_other_fits():
    assert taken([[0.9, 0.6], [0.9, 0.6]], ignored=[1, 0]) == [[1, 0]]


def test_of_equals_the_last():
    assert taken([[0.7, 0.7, 0.6]]) == [[1]]


def test_each_threshold_by_itself():
    assert taken([[0.6], [0.8]], thresholds=np.array([0.5, 0.75, 0.9])) == [[0, -1], [-1, 0], [-1, -1]]


def test_nobody_there_or_nobody_found():
    assert taken(np.zeros((2, 0))) == [[-1, -1]]
    assert taken(np.zeros((0, 2))) == [[]]


def test_scenes_come_in_order_of_id_with_the_best_first():
    someone = person()
    truth = annotations(picture(7, someone), picture(3, person(2, visible=False), person(3, crowd=True)))
    found = [result(7, someone, 0.2), result(7, someone, 0.9, shift=50)]
    three, seven = scenes(truth, found)
    assert (three.picture.id, seven.picture.id) == (3, 7)
    assert three.ignored.tolist() == [True, True]
    assert three.crowd.tolist() == [False, True]
    assert three.similarity.shape == (0, 2)
    assert seven.found.scores.tolist() == [0.9, 0.2]
    assert seven.similarity[1, 0] == 1 > seven.similarity[0, 0]
