"""A figure of a model card is in percent where it is shown so."""

import pytest

from hf_vits.evaluation.base import METRICS
from hf_vits.evaluation.eval_results import results_of


@pytest.mark.parametrize("name", ["wer", "similarity", "rtf"])
def test_figure_and_interval_are_in_the_unit_that_the_name_says(name):
    estimate = {"value": 0.25, "low": 0.2, "high": 0.3, "sentences": 7}
    report = {"voice": {"estimates": {name: estimate}}, "data": "corpus", "seed": 3, "instruments": {name: "a meter"}}
    (found,) = results_of(report)
    factor = 100 if METRICS[name].percent else 1
    assert found.metric_name.endswith(", percent") == METRICS[name].percent
    assert found.metric_value == pytest.approx(0.25 * factor)
    assert found.metric_args["interval_95"] == pytest.approx([0.2 * factor, 0.3 * factor])
    assert (found.metric_args["sentences"], found.metric_args["measured_by"], found.dataset_name) == (
        *(7, "a meter"),
        "corpus",
    )
