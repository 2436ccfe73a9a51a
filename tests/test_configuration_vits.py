import json
import subprocess
import sys

import pytest
import transformers
from huggingface_hub.errors import StrictDataclassError

from hf_vits import VitsConfig
from hf_vits.configuration_vits import index_of

EXTENSIONS = (
    *({"resblock_type": "2"}, {"inference_only": True}, {"posterior_input": "mel"}, {"window_size": None}),
    {"num_speakers": 2, "speaker_embedding_size": 4, "text_encoder": {"speaker_layer": 1}},
    {"flow": {"transformer": "pre_conv"}},
)


def test_every_upstream_field_has_upstreams_default():
    upstream = transformers.VitsConfig().to_dict()
    ours = VitsConfig().to_dict()

    def plain(value):
        return [plain(v) for v in value] if isinstance(value, list | tuple) else value

    different = {k: (plain(v), plain(ours.get(k))) for k, v in upstream.items() if plain(ours.get(k)) != plain(v)}
    assert not different


def test_the_default_configuration_needs_no_extension():
    assert not VitsConfig().needs_extension
    assert VitsConfig().to_dict()["model_type"] == "vits"


@pytest.mark.thorough
def test_upstreams_auto_class_refuses_a_configuration_it_cannot_run(make_config, tmp_path):
    """In a process without this package, which registers the type."""
    folders = [tmp_path / str(number) for number in range(len(EXTENSIONS))]
    for folder, fields in zip(folders, EXTENSIONS, strict=True):
        make_config(**fields).save_pretrained(folder)
        assert json.loads((folder / "config.json").read_text())["model_type"] == "hf_vits"
    code = f"""
import transformers
for folder in {[str(folder) for folder in folders]!r}:
    try:
        transformers.AutoConfig.from_pretrained(folder)
    except ValueError as error:
        print("`hf_vits`" in str(error))
"""
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert alone.stdout.split() == ["True"] * len(EXTENSIONS)


@pytest.mark.parametrize("fields", [{}, {"num_speakers": 2, "speaker_embedding_size": 4}, *EXTENSIONS])
def test_saving_and_loading_changes_nothing_and_warns_of_nothing(fields, make_config, tmp_path, caplog):
    config = make_config(**fields)
    config.save_pretrained(tmp_path)
    transformers.logging.enable_propagation()
    try:
        loaded = VitsConfig.from_pretrained(tmp_path)
    finally:
        transformers.logging.disable_propagation()
    assert not caplog.records
    assert type(loaded) is VitsConfig
    assert loaded.to_json_string() == config.to_json_string()


def test_fields_of_other_tools_survive_a_round_trip(make_config, tmp_path):
    make_config().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "discriminator_periods": [2, 3]}))
    VitsConfig.from_pretrained(tmp_path).save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "config.json").read_text())["discriminator_periods"] == [2, 3]


def test_a_value_of_a_wrong_type_is_an_error_that_names_the_field(make_config):
    with pytest.raises(StrictDataclassError, match="hidden_size"):
        make_config(hidden_size="wide")


def test_hop_length_is_the_product_of_the_upsampling_rates():
    assert VitsConfig().hop_length == 256
    assert VitsConfig(upsample_rates=[8, 8, 4], upsample_kernel_sizes=[16, 16, 8]).hop_length == 256


def test_speakers_are_looked_up_by_name_and_by_id(make_config, speakers):
    config = make_config(**speakers)
    assert [config.speaker_index(s) for s in ("ada", "cem", 1)] == [0, 2, 1]


@pytest.mark.parametrize("speaker", ["dan", 3, -1])
def test_an_unknown_speaker_is_an_error_that_lists_the_known(make_config, speakers, speaker):
    with pytest.raises(ValueError) as caught:
        make_config(**speakers).speaker_index(speaker)
    assert str(speaker) in str(caught.value)
    assert "ada" in str(caught.value) or "0 to 2" in str(caught.value)


def test_a_fine_tuning_repositorys_config_loads(make_config, tmp_path):
    """Keys that finetune-hf-vits adds; `hop_length` follows from the rates here."""
    make_config().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    added = {
        "hop_length": 8,
        "segment_size": 8192,
        "discriminator_kernel_size": 5,
        "discriminator_scale_channels": None,
    }
    file.write_text(json.dumps({**json.loads(file.read_text()), **added, "fft_size": 16}))
    config = VitsConfig.from_pretrained(tmp_path)
    assert config.hop_length == 8 and config.segment_size == 8192
    config.save_pretrained(tmp_path / "again")
    assert VitsConfig.from_pretrained(tmp_path / "again").segment_size == 8192


def test_whole_numbers_are_saved_as_upstream_can_read_them(make_config, tmp_path):
    make_config(noise_scale=0, noise_scale_duration=1, duration_predictor_tail_bound=5).save_pretrained(tmp_path)
    assert transformers.VitsConfig.from_pretrained(tmp_path).noise_scale == 0.0


@pytest.mark.parametrize(
    "count, names, advice",
    [
        (1, None, "leave it out, or pass 0"),
        (3, None, "pass a number, 0 to 2"),
        (2, ["anna", "bob"], "pass one of those"),
    ],
)
def test_the_error_for_an_unknown_name_says_what_to_pass(count, names, advice):
    with pytest.raises(ValueError, match="'carl'") as error:
        index_of("speaker", "carl", count, names)
    assert advice in str(error.value)
    assert ("one of those" in str(error.value)) == bool(names)


def test_transformers_finds_no_other_configuration_in_the_parts(make_config, speakers):
    config = make_config(**speakers, text_encoder={"speaker_layer": 0}, decoder={"type": "vocos"})
    assert config.get_text_config() is config and config.get_text_config(decoder=True) is config
    assert config.to_dict()["text_encoder"] == {"speaker_layer": 0} and "flow" not in config.to_dict()
