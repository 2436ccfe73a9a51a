"""What every reader's voice must pass before it is one: weights that speak, in one precision."""

import json
import os
import signal
import stat
from pathlib import Path

import processes
import pytest
import torch
from original_files import in_original_layout, tiny_model, with_weight_norm, write_original
from torch import nn

from hf_vits import convert
from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.converted import Converted
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.weight_norm import NEW_G, NEW_V, fold, has_zero_filter
from hf_vits.tokenization_vits import VitsTokenizer

NORMED = {"folded here": "dec.ups.0.weight_v", "kept here": "flow.flows.0.enc.in_layers.0.weight_v"}


@pytest.mark.parametrize("name", NORMED.values(), ids=NORMED)
def test_weight_norm_without_a_direction_is_refused_and_not_read_as_nan(name, tmp_path):
    tensors = with_weight_norm(in_original_layout(tiny_model()))
    tensors[name] = tensors[name].clone()
    tensors[name][1] = 0
    file = write_original(tmp_path, tiny_model(), tensors)

    with pytest.raises(ValueError, match=r"in_layers.0|ups.0|upsampler.0") as error:
        convert(file)

    assert "has only zeros as weights" in str(error.value)


@pytest.mark.parametrize("smallest", [0.0, 1e-30, 1e-10, 1.0])
def test_a_filter_counts_as_zeros_if_weight_norm_makes_nan_of_it(smallest):
    v = torch.randn(3, 4, 5)
    v[2] = smallest
    folded = torch._weight_norm(v, torch.ones(3, 1, 1), 0)

    assert has_zero_filter(v) == (not folded.isfinite().all())


def test_half_precision_is_made_single_before_weight_norm_is_folded():
    model = tiny_model()
    norm = ".parametrizations.weight.original"
    halves = {}
    for name, tensor in model.state_dict().items():
        if name == "decoder.upsampler.0.weight":
            g, v = torch.linalg.vector_norm(tensor, dim=(1, 2), keepdim=True).half(), (3 * tensor).half()
            halves[f"decoder.upsampler.0{norm}0"], halves[f"decoder.upsampler.0{norm}1"] = g, v
        else:
            halves[name] = tensor
    v, g = v.double(), g.double()

    converted = Converted(model.config, halves)

    expected = g * v / torch.linalg.vector_norm(v, dim=(1, 2), keepdim=True)
    torch.testing.assert_close(
        converted.state_dict["decoder.upsampler.0.weight"], expected.float(), rtol=1e-6, atol=1e-7
    )
    assert "Stored as float32: weights of the type float16." in converted.notes


def smallest_model(**overrides) -> VitsModel:
    torch.manual_seed(0)
    sizes = {"vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "ffn_dim": 8, "flow_size": 8}
    decoder = {"upsample_initial_channel": 8, "upsample_rates": [4], "upsample_kernel_sizes": [8]}
    blocks = {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1]]}
    other = {"spectrogram_bins": 9, "posterior_encoder_num_wavenet_layers": 1}
    model = VitsModel(VitsConfig(**(sizes | decoder | blocks | other | overrides))).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture
def model():
    return smallest_model()


@pytest.fixture
def converted(model, tmp_path):
    vocab = tmp_path / "vocab.json"
    vocab.write_text(json.dumps({symbol: i for i, symbol in enumerate("_abcdef ")}))
    tokenizer = VitsTokenizer(str(vocab), pad_token="_", phonemize=False)
    return Converted(model.config, model.state_dict(), tokenizer)


def test_weights_that_are_not_the_configurations_cannot_be_converted(model):
    weights = dict(model.state_dict())
    first = weights.pop("decoder.conv_pre.weight")

    with pytest.raises(ValueError, match="1 missing: decoder.conv_pre.weight"):
        Converted(model.config, weights)
    with pytest.raises(ValueError, match="1 unexpected: decoder.other"):
        Converted(model.config, weights | {"decoder.conv_pre.weight": first, "decoder.other": first})
    with pytest.raises(ValueError, match=r"decoder.conv_pre.weight is \(8, 8, 6\), not \(8, 8, 7\)"):
        Converted(model.config, weights | {"decoder.conv_pre.weight": first[..., 1:]})
    with pytest.raises(ValueError, match="decoder.conv_pre.weight holds NaN or infinity"):
        Converted(model.config, weights | {"decoder.conv_pre.weight": first / 0})


def test_folded_weight_norm_is_unfolded_to_the_same_weight(model):
    weights = dict(model.state_dict())
    layer = "flow.flows.0.wavenet.in_layers.0"
    folded = fold(weights.pop(layer + NEW_G), weights.pop(layer + NEW_V))

    found = Converted(model.config, weights | {layer + ".weight": folded}).state_dict

    torch.testing.assert_close(fold(found[layer + NEW_G], found[layer + NEW_V]), folded, rtol=0, atol=1e-6)


@pytest.mark.thorough
def test_a_saved_folder_is_an_ordinary_voice(converted, model, tmp_path):
    folder = converted.save(tmp_path / "new" / "voice")

    names = {file.name for file in folder.iterdir()}
    assert {"config.json", "model.safetensors", "vocab.json", "tokenizer_config.json"} <= names
    again = VitsModel.from_pretrained(folder)
    weights = again.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    text = "abc fed"
    assert VitsTokenizer.from_pretrained(folder)(text)["input_ids"] == converted.tokenizer(text)["input_ids"]
    assert os.listdir(folder.parent) == ["voice"]


def test_everybody_may_read_a_saved_folder_as_far_as_the_umask_says(converted, tmp_path):
    before = os.umask(0o022)
    try:
        folder = converted.save(tmp_path / "voice")
    finally:
        os.umask(before)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}


def test_the_model_speaks_as_the_one_it_was_made_of(converted, model):
    call = {"input_ids": torch.tensor([[0, 1, 0, 2]]), "durations": torch.tensor([[1, 2, 1, 2]])}

    found = converted.model()(**call, generator=torch.Generator().manual_seed(3)).waveform

    assert torch.equal(found, model(**call, generator=torch.Generator().manual_seed(3)).waveform)


def test_a_folder_with_something_in_it_is_not_touched(converted, tmp_path):
    folder = tmp_path / "voice"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")

    with pytest.raises(FileExistsError, match="exists and is not empty. .* `overwrite=True`"):
        converted.save(folder)
    with pytest.raises(FileExistsError, match="thesis.txt is a file"):
        converted.save(folder / "thesis.txt")
    assert os.listdir(folder) == ["thesis.txt"]


def test_an_empty_folder_is_filled_and_stays_the_same_folder(converted, tmp_path, monkeypatch):
    folder = tmp_path / "voice"
    folder.mkdir()
    folder.chmod(0o2750)
    before = folder.stat()
    monkeypatch.chdir(folder)

    assert converted.save(".") == folder

    after = folder.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert os.path.samefile(os.getcwd(), folder)
    assert {"config.json", "model.safetensors", "vocab.json", "tokenizer_config.json"} <= set(os.listdir())
    assert not [name for name in os.listdir() if name.startswith(".")]
    assert sorted(os.listdir(tmp_path)) == ["vocab.json", "voice"]
    assert VitsModel.from_pretrained(folder).config.vocab_size == 8


def test_an_empty_folder_is_filled_from_within_as_a_mount_point_must_be(converted, tmp_path, monkeypatch):
    folder = tmp_path / "mounted"
    folder.mkdir()
    rename = os.rename

    def only_inside(source, target):
        assert folder in Path(source).parents and folder in Path(target).parents
        rename(source, target)

    monkeypatch.setattr(os, "rename", only_inside)

    assert (converted.save(folder) / "config.json").is_file()


def test_the_configuration_goes_in_last_and_a_failure_empties_the_folder_again(converted, tmp_path, monkeypatch):
    folder = tmp_path / "voice"
    folder.mkdir()
    rename, seen = os.rename, []

    def fail_at_last(source, target):
        seen.append(Path(target).name)
        if Path(target).name == "config.json":
            raise OSError("disk full")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_at_last)

    with pytest.raises(OSError, match="disk full"):
        converted.save(folder)
    assert seen[-1] == "config.json" and len(seen) > 3
    assert os.listdir(folder) == []


def test_an_empty_folder_that_another_process_fills_meanwhile_is_not_touched(converted, tmp_path, monkeypatch):
    folder = tmp_path / "voice"
    folder.mkdir()
    save = type(converted.tokenizer).save_pretrained

    def save_while_another_is_faster(tokenizer, directory, **kwargs):
        save(tokenizer, directory, **kwargs)
        (folder / "config.json").write_text("theirs")

    monkeypatch.setattr(type(converted.tokenizer), "save_pretrained", save_while_another_is_faster)

    with pytest.raises(FileExistsError, match="another process"):
        converted.save(folder)
    assert os.listdir(folder) == ["config.json"]
    assert (folder / "config.json").read_text() == "theirs"


def test_overwriting_replaces_the_whole_folder(converted, tmp_path):
    folder = tmp_path / "voice"
    folder.mkdir()
    (folder / "old.txt").touch()

    converted.save(folder, overwrite=True)

    assert (folder / "config.json").is_file()
    assert not (folder / "old.txt").exists()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_a_failure_while_writing_leaves_what_was_there(converted, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    folder = tmp_path / "voice"
    folder.mkdir()
    (folder / "old.txt").touch()
    monkeypatch.setattr(type(converted.tokenizer), "save_pretrained", fail)

    with pytest.raises(OSError, match="disk full"):
        converted.save(folder, overwrite=True)
    with pytest.raises(OSError, match="disk full"):
        converted.save(tmp_path / "other")
    assert os.listdir(folder) == ["old.txt"]
    assert not (tmp_path / "other").exists()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_a_failure_while_putting_in_place_brings_the_former_folder_back(converted, tmp_path, monkeypatch):
    folder = tmp_path / "voice"
    folder.mkdir()
    (folder / "old.txt").touch()
    rename = os.rename

    def fail_for_staged(source, target):
        if str(source).endswith(".partial"):
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_for_staged)

    with pytest.raises(OSError):
        converted.save(folder, overwrite=True)
    assert os.listdir(folder) == ["old.txt"]


def test_a_folder_that_another_process_makes_meanwhile_is_not_touched(converted, tmp_path, monkeypatch):
    folder = tmp_path / "voice"
    save = type(converted.tokenizer).save_pretrained

    def save_while_another_is_faster(tokenizer, directory, **kwargs):
        save(tokenizer, directory, **kwargs)
        folder.mkdir()
        (folder / "theirs.txt").touch()

    monkeypatch.setattr(type(converted.tokenizer), "save_pretrained", save_while_another_is_faster)

    with pytest.raises(FileExistsError, match="another process"):
        converted.save(folder)
    assert os.listdir(folder) == ["theirs.txt"]


def test_a_process_killed_while_writing_leaves_no_folder(tmp_path):
    script = f"""
import os, signal
from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.converted import Converted
from hf_vits.modeling_vits import VitsModel

class Deadly:
    def save_pretrained(self, directory):
        assert os.path.getsize(os.path.join(directory, "model.safetensors")) > 0
        os.kill(os.getpid(), signal.SIGKILL)

config = VitsConfig(hidden_size=8, num_hidden_layers=1, ffn_dim=8, flow_size=8, inference_only=True,
                    upsample_initial_channel=16)
Converted(config, VitsModel(config).state_dict(), Deadly()).save({str(tmp_path / "voice")!r})
"""
    codes = processes.exit_codes([processes.start(processes.execute, script)])

    assert codes == [-signal.SIGKILL]
    assert not (tmp_path / "voice").exists()
