"""Progress bars and warnings are silent within a block, and as they were after it."""

import logging

import pytest
from transformers.utils import logging as transformers_logging

from hf_vits.utils.logging import LOGGERS, no_progress_bar, silence_logging


def test_warnings_of_dropped_characters_are_silent_within_the_block_alone(caplog):
    logger = logging.getLogger(LOGGERS[0])
    with silence_logging():
        logger.warning("within")
    logger.warning("after")
    assert [record.message for record in caplog.records] == ["after"]


@pytest.mark.filterwarnings("ignore:Cannot enable progress bars")
@pytest.mark.parametrize("is_shown", [True, False])
def test_progress_bars_are_as_they_were_even_after_an_error(is_shown):
    before = transformers_logging.is_progress_bar_enabled()
    (transformers_logging.disable_progress_bar, transformers_logging.enable_progress_bar)[is_shown]()
    try:
        with pytest.raises(KeyError), no_progress_bar():
            assert not transformers_logging.is_progress_bar_enabled()
            raise KeyError
        assert transformers_logging.is_progress_bar_enabled() == is_shown
    finally:
        (transformers_logging.disable_progress_bar, transformers_logging.enable_progress_bar)[before]()
