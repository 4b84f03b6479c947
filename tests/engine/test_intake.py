"""What ``h`` may say."""

from engine.intake import Intake


def test_what_is_no_chat_is_done_when_it_comes():
    intake = Intake()
    intake.count(3)
    assert (intake.done, intake.is_settled) == (3, True)


def test_nothing_behind_a_chat_is_done_before_it():
    intake = Intake()
    intake.begin(1)
    intake.count(3)
    assert (intake.done, intake.is_settled) == (0, False)
    intake.settle(1)
    assert (intake.done, intake.is_settled) == (3, True)


def test_chats_that_are_done_out_of_order():
    intake = Intake(4)
    intake.begin(5)
    intake.begin(6)
    intake.settle(6)
    assert intake.done == 4
    intake.settle(5)
    assert intake.done == 6
