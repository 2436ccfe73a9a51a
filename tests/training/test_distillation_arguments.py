"""Settings of a training that have no effect on a decoder alone are refused."""

import pytest

from hf_vits.training.distillation_arguments import DistillationArguments


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_duration_seconds": 3.0}, "`max_duration_seconds` has no effect here: no recordings are read"),
        ({"decoder": "other"}, "its `type` must be one of"),
        ({"loss_weights": {"kl": 2.0}}, "`loss_weights` has kl, no loss of a decoder"),
        ({"learning_rate_multipliers": {"flow": 2.0}}, "has flow; nothing but the decoder is trained"),
    ],
)
def test_what_has_no_effect_is_an_error_that_says_why(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        DistillationArguments(output_dir=str(tmp_path), **fields)


def test_a_decoder_is_named_or_given_with_its_sizes(tmp_path):
    one, other = (DistillationArguments(output_dir=str(tmp_path), decoder=d) for d in ("vocos", {"type": "vocos"}))
    assert one.decoder == other.decoder == {"type": "vocos"}
