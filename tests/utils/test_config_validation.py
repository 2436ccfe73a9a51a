"""A config.json that no model can have is an error, wherever its fields come from."""

import json

import pytest
from huggingface_hub.errors import StrictDataclassError

from hf_vits import VitsConfig, VitsModel


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"hidden_size": 30, "num_attention_heads": 4}, ["30", "4"]),
        ({"upsample_rates": [4, 2], "upsample_kernel_sizes": [8]}, ["2 stages", "1 ("]),
        ({"upsample_rates": [4, 2], "upsample_kernel_sizes": [7, 4]}, ["7", "4"]),
        ({"upsample_initial_channel": 10, "upsample_rates": [2, 2], "upsample_kernel_sizes": [4, 4]}, ["10", "4"]),
        ({"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1], [1]]}, ["1 blocks", "2 ("]),
        ({"resblock_kernel_sizes": [4], "resblock_dilation_sizes": [[1]]}, ["[4]", "odd"]),
        ({"resblock_dilation_sizes": [[1], []]}, ["[[1], []]"]),
        ({"resblock_type": "3"}, ["'3'", "'1' and '2'"]),
        ({"posterior_input": "loud"}, ["'loud'", "'linear' or 'mel'"]),
        ({"text_encoder": {"speaker_layer": 1}}, ["speaker_embedding_size", "Leave `speaker_layer` out"]),
        ({"text_encoder": {"speaker_layer": 2}, "speaker_embedding_size": 4}, ["2", "layers are 0 to 1"]),
        ({"text_encoder": {"speaker": 1}}, ["`text_encoder` has 'speaker'", "fields are speaker_layer"]),
        ({"text_encoder": {"speaker_layer": "1"}}, ["`text_encoder`", "expected int"]),
        ({"flow": {"transformer": "fft"}}, ["'fft'", "'pre_conv'"]),
        ({"flow": {"type": "pre_conv"}}, ["`flow` has 'type'", "transformer_heads"]),
        ({"flow": {"transformer_layers": 1}}, ["no effect without `transformer`"]),
        ({"flow": {"transformer": "pre_conv", "transformer_heads": 3}}, ["3", "half of `flow_size`, 4"]),
        ({"flow": {"transformer": "pre_conv", "transformer_layers": 0}}, ["transformer_layers", "above 0"]),
        ({"flow": {"transformer": "pre_conv", "transformer_layers": 10**6}}, ["layers", "the most is 5,000"]),
        ({"flow": {"transformer": "pre_conv", "transformer_dropout": 2}}, ["transformer_dropout", "between 0 and 1"]),
        ({"num_speakers": 4, "speaker_embedding_size": 0}, ["4", "0"]),
        ({"num_speakers": 2, "speaker_embedding_size": 4, "speaker_names": ["ann"]}, ["1 names", "2"]),
        ({"num_speakers": 2, "speaker_embedding_size": 4, "speaker_names": ["ann", "ann"]}, ["ann"]),
        ({"flow_size": 7}, ["7", "even"]),
        ({"wavenet_kernel_size": 4}, ["4", "odd"]),
        ({"win_length": 100, "spectrogram_bins": 9}, ["100", "16"]),
        ({"mel_fmin": 900.0, "mel_fmax": 800.0}, ["900", "800"]),
        ({"mel_fmax": 9000.0, "sampling_rate": 16000}, ["9000", "8000"]),
        ({"noise_scale": float("nan")}, ["noise_scale", "nan"]),
        ({"speaking_rate": 0.0}, ["speaking_rate", "0"]),
        ({"vocab_size": 0}, ["vocab_size", "0"]),
        ({"depth_separable_channels": 3}, ["3", "2"]),
        ({"window_size": -1}, ["window_size", "-1"]),
        ({"pad_token_id": 50}, ["50", "20"]),
        ({"blank_id": 20}, ["blank_id", "20"]),
        ({"hidden_dropout": 1.5}, ["hidden_dropout", "1.5"]),
        ({"layer_norm_eps": -1.0}, ["layer_norm_eps", "-1"]),
        ({"leaky_relu_slope": float("nan")}, ["leaky_relu_slope", "nan"]),
        ({"hidden_act": "loud"}, ["loud", "relu"]),
        ({"hop_length": 256}, ["256", "[4, 2]", "8"]),
    ],
)
def test_an_impossible_configuration_is_an_error_that_names_the_values(make_config, fields, named):
    with pytest.raises(ValueError) as caught:
        make_config(**fields)
    for part in named:
        assert part in str(caught.value)


def test_overridden_and_changed_fields_are_checked(make_config, tmp_path):
    config = make_config()
    config.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"num_speakers.*3.*speaker_embedding_size.*0"):
        VitsConfig.from_pretrained(tmp_path, num_speakers=3)
    config.num_speakers = 3
    with pytest.raises(StrictDataclassError, match=r"num_speakers.*3"):
        config.save_pretrained(tmp_path)


@pytest.mark.parametrize("content", ["[1]", "null", "3", "{", ""])
def test_a_config_that_is_no_json_object_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(OSError, match=r"config\.json|configuration|config file"):
        VitsConfig.from_pretrained(tmp_path)


def test_another_models_config_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match=r"'bert'.*'vits'"):
        VitsConfig.from_pretrained(tmp_path)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("name", ["base_model_tp_plan", "base_model_pp_plan", "base_model_ep_plan"])
@pytest.mark.parametrize("value", [[1], 3, "rowwise", {"decoder": "rowwise"}])
def test_a_plan_for_several_devices_in_a_file_is_not_used(make_model, tmp_path, name, value):
    make_model().save_pretrained(tmp_path)
    table = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**table, name: value}))
    assert not getattr(VitsModel.from_pretrained(tmp_path).config, name)
