"""Checkpoints in every weight_format and shape load exactly; damaged ones are refused whole."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from hf_vits import VitsConfig, VitsModel
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V, fold

PAIRS = "flow.flows.0.wavenet.in_layers.0"


@pytest.fixture
def folder(make_model, tmp_path):
    """A saved voice."""
    make_model().save_pretrained(tmp_path / "voice")
    return tmp_path / "voice"


@pytest.fixture
def state_dict(folder):
    return load_file(folder / "model.safetensors")


def rewrite(folder, state_dict):
    save_file(state_dict, folder / "model.safetensors", metadata={"format": "pt"})


def in_format(state_dict, weight_format):
    """Every weight-normed layer in the given weight_format; "mixed" takes them in turn."""
    result = {k: v for k, v in state_dict.items() if NEW_G not in k and NEW_V not in k}
    layers = sorted(k.removesuffix(NEW_G) for k in state_dict if k.endswith(NEW_G))
    assert len(layers) > 8
    for number, layer in enumerate(layers):
        g, v = state_dict[layer + NEW_G], state_dict[layer + NEW_V]
        way = ("old", "new", "folded")[number % 3] if weight_format == "mixed" else weight_format
        if way == "folded":
            result[layer + ".weight"] = g * v / v.flatten(1).norm(dim=1).view(-1, 1, 1)
        else:
            names = (OLD_G, OLD_V) if way == "old" else (NEW_G, NEW_V)
            result[layer + names[0]], result[layer + names[1]] = g, v
    return result


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_that_are_not_finite_are_refused_by_name(folder, state_dict, value, dtype):
    key = "decoder.conv_post.weight"
    state_dict = {name: tensor.to(dtype) for name, tensor in state_dict.items()}
    state_dict[key][0, 0, 0] = value
    rewrite(folder, state_dict)
    with pytest.raises(ValueError, match=f"{folder} are damaged: {key} hold NaN or infinity.*hf-vits doctor"):
        VitsModel.from_pretrained(folder)
    with pytest.raises(ValueError, match=key):
        VitsModel.from_pretrained(None, config=VitsConfig.from_pretrained(folder), state_dict=state_dict)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("weight_format", ["old", "new", "folded", "mixed"])
def test_every_spelling_of_weight_norm_speaks_the_same(folder, state_dict, weight_format):
    ids = torch.arange(1, 15)[None]
    expected = VitsModel.from_pretrained(folder).double()(ids, noise_scale=0.0, noise_scale_duration=0.0).waveform
    rewrite(folder, in_format(state_dict, weight_format))
    model = VitsModel.from_pretrained(folder).double()
    spoken = model(ids, noise_scale=0.0, noise_scale_duration=0.0).waveform
    torch.testing.assert_close(spoken, expected, rtol=0, atol=1e-5)
    if weight_format in ("old", "new"):
        weights = model.state_dict()
        for key, tensor in state_dict.items():
            assert torch.equal(weights[key].float(), tensor), key


def test_a_normed_decoder_of_a_training_checkpoint_is_folded(folder, state_dict):
    layers = [
        k.removesuffix(".weight") for k in state_dict if k.startswith("decoder.resblocks") and k.endswith("weight")
    ]
    changed = dict(state_dict)
    for layer in layers:
        v = torch.randn_like(changed[layer + ".weight"])
        changed.pop(layer + ".weight")
        changed[layer + OLD_V], changed[layer + OLD_G] = v, torch.rand(v.shape[0], 1, 1)
    rewrite(folder, changed)
    weights = VitsModel.from_pretrained(folder).state_dict()
    for layer in layers:
        g, v = changed[layer + OLD_G], changed[layer + OLD_V]
        torch.testing.assert_close(weights[layer + ".weight"], g * v / v.flatten(1).norm(dim=1).view(-1, 1, 1))


@pytest.mark.parametrize("how", ["missing", "unexpected", "misshaped", "half a pair", "stored twice"])
def test_any_tensor_amiss_is_an_error_that_names_it(folder, state_dict, how):
    key = "decoder.conv_pre.weight"
    if how == "missing":
        state_dict.pop(key)
    elif how == "unexpected":
        state_dict[key := "decoder.conv_extra.weight"] = torch.zeros(3)
    elif how == "misshaped":
        state_dict[key] = torch.zeros(3, 2, 1)
    elif how == "half a pair":
        key = PAIRS + NEW_G
        state_dict.pop(key)
    else:
        key = PAIRS
        g, v = state_dict[PAIRS + NEW_G], state_dict[PAIRS + NEW_V]
        state_dict[PAIRS + ".weight"] = fold(g, v)
    rewrite(folder, state_dict)
    with pytest.raises(ValueError) as caught:
        VitsModel.from_pretrained(folder)
    assert key in str(caught.value)


TRAINING_PARTS = ("posterior_encoder.", "duration_predictor.flows.1.", "duration_predictor.post_")


def without_training_parts(state_dict):
    return {k: v for k, v in state_dict.items() if not k.startswith(TRAINING_PARTS)}


def test_parts_that_only_training_uses_may_not_be_missing_unsaid(folder, state_dict):
    rewrite(folder, without_training_parts(state_dict))
    with pytest.raises(ValueError, match="inference_only"):
        VitsModel.from_pretrained(folder)


def test_a_voice_declared_inference_only_speaks_as_before_and_says_what_it_lacks(folder, state_dict):
    ids = torch.arange(1, 15)[None]
    whole = VitsModel.from_pretrained(folder)
    rewrite(folder, without_training_parts(state_dict))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "inference_only": True, "model_type": "hf_vits"}))
    part = VitsModel.from_pretrained(folder)
    outs = [model(ids, generator=torch.Generator().manual_seed(2)).waveform for model in (whole, part)]
    assert torch.equal(*outs)
    assert whole.missing_for_training() == []
    missing = part.missing_for_training()
    assert all(any(k.startswith(m.rstrip("*")) for m in missing) for k in state_dict.keys() - part.state_dict().keys())
    assert not any(k.startswith(m.rstrip("*")) for m in missing for k in part.state_dict())


def test_no_other_part_may_be_missing_from_an_inference_only_voice(folder, state_dict):
    state_dict = without_training_parts(state_dict)
    state_dict.pop("duration_predictor.flows.2.conv_pre.weight")
    rewrite(folder, state_dict)
    with pytest.raises(ValueError, match=r"duration_predictor\.flows\.2"):
        VitsModel.from_pretrained(folder, inference_only=True)


@pytest.mark.thorough
def test_sharded_subfolder_and_variant_checkpoints_load(make_model, tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path / "sharded" / "deep", max_shard_size="20KB")
    assert len(list((tmp_path / "sharded" / "deep").glob("*.safetensors"))) > 2
    model.save_pretrained(tmp_path / "variant", variant="fp16")
    model.save_pretrained(tmp_path / "variant-shards", variant="fp16", max_shard_size="20KB")
    for path, arguments in (
        ("sharded", {"subfolder": "deep"}),
        ("variant", {"variant": "fp16"}),
        ("variant-shards", {"variant": "fp16"}),
    ):
        loaded = VitsModel.from_pretrained(tmp_path / path, **arguments).state_dict()
        for key, tensor in model.state_dict().items():
            assert torch.equal(loaded[key], tensor), (path, key)


def test_pickled_weights_load_without_running_code(folder, state_dict):
    (folder / "model.safetensors").unlink()
    torch.save(state_dict, folder / "pytorch_model.bin")
    loaded = VitsModel.from_pretrained(folder).state_dict()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in state_dict.items())


class Payload:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_code_in_a_pickled_checkpoint_is_not_run(folder, tmp_path, protocol):
    (folder / "model.safetensors").unlink()
    loot = tmp_path / "loot"
    if protocol == "torch":
        torch.save({"a": Payload(loot)}, folder / "pytorch_model.bin")
    else:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(loot)))
    with pytest.raises(ValueError, match=r"pytorch_model\.bin"):
        VitsModel.from_pretrained(folder)
    assert not loot.exists()


@pytest.mark.parametrize("keep", [0, 4, 100, 5000])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_truncated_file_is_refused_by_name(folder, state_dict, name, keep):
    if name.endswith("bin"):
        (folder / "model.safetensors").unlink()
        torch.save(state_dict, folder / name)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:keep])
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        VitsModel.from_pretrained(folder)


def test_a_pickle_that_is_no_table_of_tensors_is_refused(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"model": {"a": torch.zeros(1)}, "iteration": 3}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="state_dict="):
        VitsModel.from_pretrained(folder)


def test_a_folder_without_weights_says_which_were_looked_for(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"model\.safetensors.*pytorch_model\.bin"):
        VitsModel.from_pretrained(folder)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError):
        VitsModel.from_pretrained(tmp_path / "nowhere")


def test_fields_given_to_from_pretrained_override_the_files(folder):
    assert VitsModel.from_pretrained(folder, noise_scale=0.1).config.noise_scale == 0.1
    config = VitsConfig.from_pretrained(folder, noise_scale=0.3)
    assert VitsModel.from_pretrained(folder, config=config).config.noise_scale == 0.3


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64, "auto"])
def test_weights_take_the_dtype_asked_for(make_model, tmp_path, dtype):
    make_model().bfloat16().save_pretrained(tmp_path)
    model = VitsModel.from_pretrained(tmp_path, dtype=dtype)
    expected = torch.bfloat16 if dtype == "auto" else dtype
    assert {p.dtype for p in model.decoder.parameters()} == {expected}
    others = {p.dtype for name, p in model.named_parameters() if not name.startswith("decoder.")}
    assert others == {torch.float32 if expected.itemsize == 2 else expected}


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_voice_that_was_loaded_in_a_dtype_and_saved_is_loaded_in_it_again(make_model, tmp_path, dtype):
    make_model().save_pretrained(tmp_path / "first")
    model = VitsModel.from_pretrained(tmp_path / "first", dtype=dtype)
    model.save_pretrained(tmp_path / "second")
    for asked in ({}, {"dtype": "auto"}):
        again = VitsModel.from_pretrained(tmp_path / "second", **asked)
        for (name, one), other in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
            assert one.dtype is other.dtype and torch.equal(one, other), name
    whole = VitsModel.from_pretrained(tmp_path / "second", dtype=torch.float32)
    assert {parameter.dtype for parameter in whole.parameters()} == {torch.float32}


def test_a_loaded_voice_is_in_evaluation_mode_and_remembers_its_source(folder):
    model = VitsModel.from_pretrained(folder)
    assert not model.training
    assert model.name_or_path == str(folder)


def test_given_weights_are_held_to_the_same_and_take_every_spelling(folder, state_dict):
    ids = torch.arange(1, 15)[None]
    still = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    expected = VitsModel.from_pretrained(folder)(ids, **still).waveform
    given = VitsModel.from_pretrained(folder, state_dict=in_format(state_dict, "mixed"))
    torch.testing.assert_close(given(ids, **still).waveform, expected, rtol=0, atol=1e-4)
    config = VitsConfig.from_pretrained(folder)
    assert VitsModel.from_pretrained(None, config=config, state_dict=state_dict)
    state_dict.pop("decoder.conv_pre.weight")
    for source in (folder, None):
        with pytest.raises(ValueError, match=r"decoder\.conv_pre\.weight"):
            VitsModel.from_pretrained(source, config=config, state_dict=state_dict)


def test_a_training_repository_loads_without_its_discriminators(folder, state_dict):
    extended = {**state_dict, "discriminator.discriminators.0.convs.0.weight": torch.zeros(2)}
    rewrite(folder, extended)
    with pytest.raises(ValueError, match=r"discriminators.*state_dict="):
        VitsModel.from_pretrained(folder)
    assert VitsModel.from_pretrained(folder, state_dict=state_dict)


def test_a_whole_checkpoint_may_be_loaded_for_speaking_only(folder, state_dict):
    ids = torch.arange(1, 15)[None]
    part = VitsModel.from_pretrained(folder, inference_only=True)
    assert not any(key.startswith(TRAINING_PARTS) for key in part.state_dict())
    outs = [
        m(ids, generator=torch.Generator().manual_seed(1)).waveform for m in (part, VitsModel.from_pretrained(folder))
    ]
    assert torch.equal(*outs)


@pytest.mark.parametrize("index", ["{}", "[]", '{"weight_map": 3}', '{"weight_map":'])
def test_a_damaged_index_of_shards_is_named(folder, index):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises((ValueError, OSError), match="model.safetensors.index.json"):
        VitsModel.from_pretrained(folder)


def test_upstreams_configuration_may_be_given(make_upstream_model, make_model, tmp_path):
    import transformers

    make_upstream_model(make_model()).save_pretrained(tmp_path)
    given = transformers.AutoConfig.from_pretrained(tmp_path)
    assert VitsModel.from_pretrained(tmp_path, config=given).config.resblock_type == "1"


def test_arguments_of_every_configuration_reach_it(folder):
    model = VitsModel.from_pretrained(folder, output_attentions=True, noise_scale=0.25)
    assert model.config.output_attentions and model.config.noise_scale == 0.25
    assert model(torch.arange(1, 5)[None]).attentions is not None
    with pytest.raises(TypeError, match="speed"):
        VitsModel.from_pretrained(folder, speed=2)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensor: tensor.to("meta"),
        lambda tensor: tensor.to_sparse(),
        lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
        lambda tensor: tensor.to(torch.complex64),
        lambda tensor: tensor.long(),
        lambda tensor: tensor > 0,
        lambda tensor: torch.zeros(()).expand(tensor.shape),
        lambda tensor: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    ],
    ids=["meta", "sparse", "quantized", "complex", "whole", "true or false", "of one number", "nested"],
)
@pytest.mark.filterwarnings("ignore")
def test_a_tensor_that_is_no_weight_is_named_with_its_file(folder, state_dict, change):
    (folder / "model.safetensors").unlink()
    torch.save(
        {**state_dict, "decoder.conv_pre.weight": change(state_dict["decoder.conv_pre.weight"])},
        folder / "pytorch_model.bin",
    )
    with pytest.raises(
        ValueError,
        match=r"decoder\.conv_pre\.weight in .*pytorch_model\.bin (is a tensor of the kind|claims the shape)",
    ):
        VitsModel.from_pretrained(folder)


def test_a_shard_that_is_missing_is_named_with_what_to_do(make_model, tmp_path):
    make_model().save_pretrained(tmp_path, max_shard_size="20KB")
    shard = sorted(tmp_path.glob("model-*.safetensors"))[1]
    shard.unlink()

    with pytest.raises(FileNotFoundError, match=f"{shard.name} is missing, which model.safetensors.index.json lists"):
        VitsModel.from_pretrained(tmp_path)
