"""What ``h`` may say."""

from engine.intake import Intake


def test_what_is_no_chat_is_done_when_it_comes():
    intake = Intake(is_resumable=False)
    intake.count(3)
    assert intake.handled == 3


def test_nothing_behind_a_chat_is_done_before_it():
    intake = Intake(is_resumable=False)
    intake.begin(1)
    intake.count(3)
    assert (intake.handled, intake.has_pending) == (0, True)
    intake.settle(1, is_on_disk=True)
    assert (intake.handled, intake.has_pending) == (3, False)


def test_chats_that_are_done_out_of_order():
    intake = Intake(is_resumable=False)
    intake.begin(1)
    intake.begin(2)
    intake.settle(2, is_on_disk=False)
    assert intake.handled == 0
    intake.settle(1, is_on_disk=True)
    assert intake.handled == 2


def test_who_can_resume_is_told_what_is_on_disk():
    intake = Intake(is_resumable=True)
    intake.count(2)
    assert (intake.done, intake.handled) == (2, 0)
    intake.keep(2)
    assert intake.handled == 2
    intake.begin(3)
    intake.settle(3, is_on_disk=True)
    assert intake.handled == 3


def test_what_is_kept_is_never_more_than_what_is_done():
    intake = Intake(is_resumable=True, kept=4)
    intake.begin(5)
    intake.begin(6)
    intake.settle(6, is_on_disk=True)
    assert intake.handled == 4
