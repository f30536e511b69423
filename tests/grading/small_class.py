"""A small class for the tests of grading: short submissions in NumPy, each with another set of right answers."""

from __future__ import annotations

from autograde.grading.course import Course
from autograde.sample_class import replaced
from tests.grading.notebooks import hand_in, light, release, solved

FUNCTIONS = ("neuron_step", "rnn_step", "rnn_forward", "count_parameters", "forecast")


def small_class(course: Course, count: int) -> Course:
    """Release the first assignment and hand in so many submissions: a number's bits say which functions are right."""
    made = release(course)
    right = replaced(light(solved(made)), "RNNLayer", "")
    for number in range(count):
        notebook = right
        for bit, function in enumerate(FUNCTIONS):
            if not number >> bit & 1:
                notebook = replaced(notebook, function, f"{function} = {number}")
        hand_in(made, f"s{number:02}", notebook)
    return made
