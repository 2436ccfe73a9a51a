"""Whole answers hold memory until they are sent, and not more than is allowed for all of them."""

import pytest

pytest.importorskip("fastapi")

from hf_vits.serving.errors import ApiError
from hf_vits.serving.held_memory import HeldMemory, Share


def test_answers_share_the_memory_and_give_it_back_also_after_an_error():
    memory = HeldMemory(2 * 1000 * 10)  # ten seconds
    with Share(memory, 1000) as one:
        one.add(6)
        with pytest.raises(ApiError, match="Other whole files") as error, Share(memory, 1000) as other:
            other.add(5)
        assert error.value.status == 429 and memory.size == 12_000
    assert memory.size == 0


def test_an_answer_that_is_too_long_alone_is_refused_for_good():
    memory = HeldMemory(20_000)
    with pytest.raises(ApiError, match="longer than a whole file may be, 10 s") as error, Share(memory, 1000) as one:
        one.add(11)
    assert error.value.status == 400 and memory.size == 0
