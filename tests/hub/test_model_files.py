"""Files of a model folder are known by their names."""

import pytest

from hf_vits.hub.model_files import WEIGHTS, checkpoints_in, config_above, has_weights


def test_checkpoints_are_in_the_order_of_their_steps_and_those_without_weights_are_none(tmp_path):
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-2", "checkpoint-x", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").touch()
    (tmp_path / "checkpoint-11").mkdir()
    assert [found.name for found in checkpoints_in(tmp_path)] == ["checkpoint-2", "checkpoint-9", "checkpoint-10"]
    assert has_weights(tmp_path / "other") and not has_weights(tmp_path)


def test_the_configuration_above_is_that_of_a_checkpoint_without_one(tmp_path):
    (folder := tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "config.json").touch()
    assert config_above(folder) is None
    (folder / "pytorch_model.bin").touch()
    assert config_above(folder) == tmp_path / "config.json"
    (folder / "config.json").touch()
    assert config_above(folder) is None


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("model.safetensors", True),
        ("model-00001-of-00002.safetensors", True),
        ("pytorch_model.bin.index.json", True),
        ("modelling.bin", False),
        ("config.json", False),
    ],
)
def test_shards_and_indices_are_files_of_weights_too(name, is_one):
    assert bool(WEIGHTS.fullmatch(name)) == is_one
