"""What a record says of how it was computed."""

from __future__ import annotations

from alvin_core.run.environment import TRAINER, describe_environment, differences


def test_a_record_of_an_earlier_trainer_says_that_the_trainer_changed():
    now = describe_environment()
    then = {name: value for name, value in now.items() if name != "trainer"}
    assert differences(then, now) == f"trainer None -> {TRAINER}"
    assert differences(now, describe_environment()) == ""
