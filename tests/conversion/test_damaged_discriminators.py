"""Discriminators from damaged or hostile files: one error that names the file, and nothing executed."""

import pickle
import random

import pytest
import torch
from original_discriminators import SMALL, Original, in_mid_training, in_ours, in_pth, stored_as, write_pth

from hf_vits.conversion.discriminators import convert_discriminator
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator

PERIODS = "discriminators.1.convs.0"


def discriminator_of(name):
    return int(name.split(".")[1])


def spectral(tensors):
    tensors[f"{PERIODS}.weight_orig"] = tensors.pop(f"{PERIODS}.weight_g")


def late_scale_discriminator(tensors):
    for name in [name for name in tensors if discriminator_of(name) in (0, 1)]:
        tensors[f"discriminators.{1 - discriminator_of(name)}.{name.split('.', 2)[2]}+"] = tensors.pop(name)
    for name in [name for name in tensors if name.endswith("+")]:
        tensors[name[:-1]] = tensors.pop(name)


def put(name, tensor):
    return lambda tensors: tensors.__setitem__(name, tensor)


def change(name, function):
    return lambda tensors: tensors.__setitem__(name, function(tensors[name]))


V, BIAS = f"{PERIODS}.weight_v", f"{PERIODS}.bias"
CHANGES = {
    "a bias is missing": (lambda tensors: tensors.pop(BIAS), rf"1 missing: {BIAS}"),
    "g is missing": (lambda tensors: tensors.pop(f"{PERIODS}.weight_g"), r"missing: discriminators.1.convs.0"),
    "v is missing": (lambda tensors: tensors.pop(V), "convs.0, but not its weight"),
    "a last layer is missing": (
        lambda tensors: [tensors.pop(f"discriminators.2.conv_post.{end}") for end in ("bias", "weight_g", "weight_v")],
        r"3 missing: discriminators.2.conv_post.bias",
    ),
    "a layer is missing": (
        lambda tensors: [tensors.pop(f"discriminators.2.convs.1.{end}") for end in ("bias", "weight_g", "weight_v")],
        "'discriminators.2.convs.4.' but not number 1",
    ),
    "a discriminator is missing": (
        lambda tensors: [tensors.pop(name) for name in list(tensors) if discriminator_of(name) == 3],
        "'discriminators.5.' but not number 3",
    ),
    "a tensor of another kind": (put("step", torch.zeros(1)), r"1 tensors belong to no part of a VITS disc.*: step"),
    "a layer of another kind": (put("discriminators.0.attention.weight", torch.zeros(1)), "attention.weight"),
    "discriminator 99999999": (
        put("discriminators.99999999.convs.0.weight", torch.zeros(1, 1, 15)),
        "but not number 6",
    ),
    "layer of 5000 digits": (put(f"discriminators.0.convs.{'9' * 5000}.bias", torch.zeros(1)), "but not number 6"),
    "one layer twice": (put(f"module.{V}", torch.zeros(3, 1, 5, 1)), "holds one layer twice"),
    "folded as well": (put(f"{PERIODS}.weight", torch.ones(3, 1, 5, 1)), "stored twice"),
    "in both formats": (
        lambda tensors: tensors.update(
            {f"{PERIODS}.parametrizations.weight.original{i}": tensors[f"{PERIODS}.weight_{'gv'[i]}"] for i in (0, 1)}
        ),
        "both formats",
    ),
    "a bias of another shape": (change(BIAS, lambda t: t[:2]), rf"{BIAS} is \(2,\), not \(3,\)"),
    "other groups": (
        change("discriminators.0.convs.2.weight_v", lambda t: t[:, :, :].repeat(1, 2, 1)),
        "another shape",
    ),
    "another kernel": (change(V, lambda t: t[:, :, :3]), "kernels of the sizes"),
    "a wide kernel": (change(V, lambda t: t.repeat(1, 1, 1, 2)), "kernels of the sizes"),
    "another rank": (change(V, lambda t: t[..., 0]), "3 dimensions and those of a period discriminator 4"),
    "no channel": (change(V, lambda t: t[:0]), "none of them 0"),
    "a scale discriminator of 7 layers": (
        lambda tensors: tensors.update(
            {
                f"discriminators.0.convs.6.{end}": tensors[f"discriminators.0.convs.5.{end}"]
                for end in ("bias", "weight_g", "weight_v")
            }
        ),
        "a scale .* has 6 layers",
    ),
    "other channels in one discriminator": (
        change("discriminators.4.convs.1.weight_v", lambda t: t[:3]),
        "different layers",
    ),
    "a scale discriminator behind": (late_scale_discriminator, "scale discriminators come first"),
    "spectral norm": (spectral, "spectral norm"),
    "NaN": (change(BIAS, lambda t: t * torch.nan), f"{BIAS} holds NaN"),
    "a channel of zeros": (change(V, lambda t: t * 0), "has only zeros as weights"),
    "whole numbers": (change(BIAS, lambda t: t.long()), f"{BIAS} is a tensor of the kind torch.int64"),
    "complex numbers": (change(BIAS, lambda t: t.to(torch.complex64)), "torch.complex64"),
    "sparse": (change(BIAS, lambda t: t.to_sparse()), "torch.sparse"),
    "no memory": (change(BIAS, lambda t: t.to("meta")), "meta"),
    "more numbers than are there": (
        change("discriminators.0.convs.0.weight_v", lambda t: t[:1, :1, :1].expand(10**9, 1, 10**6)),
        "fewer numbers",
    ),
}


@pytest.mark.thorough(but_every=3)
@pytest.mark.timeout(60)
@pytest.mark.parametrize(("alter", "message"), CHANGES.values(), ids=CHANGES)
def test_a_changed_file_is_an_error_that_names_it_and_what_is_wrong(alter, message, tmp_path):
    tensors = stored_as(Original().state_dict())
    alter(tensors)
    torch.save({"model": tensors}, tmp_path / "D_1.pth")
    with pytest.raises(ValueError, match=message) as raised:
        convert_discriminator(tmp_path / "D_1.pth")
    assert "D_1.pth" in str(raised.value)
    assert len(str(raised.value)) < 1500


class Payload:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["D_1.pth", "model_1.safetensors", "pytorch_model_1.bin", "pytorch_model.bin"])
@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_code_in_a_file_is_not_run(name, protocol, tmp_path):
    loot, contents = tmp_path / "loot", {"model": {}, "optimizer": Payload(tmp_path / "loot")}
    if protocol == "torch":
        torch.save(contents, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(contents))
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(ValueError, match=f"{name} is not a readable file"):
            convert_discriminator(path)
    assert not loot.exists()


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("keep", [0, 4, 100, 5000])
@pytest.mark.parametrize("layout", [in_pth, in_mid_training, in_ours], ids=lambda layout: layout.__name__)
def test_a_truncated_file_is_an_error_that_names_it(layout, keep, make_model, tmp_path):
    path = layout(tmp_path, Original().state_dict(), make_model())
    names = ("model_1.safetensors", "model.safetensors")
    file = path if path.is_file() else next(path / name for name in names if (path / name).exists())
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match=f"{file.name} is not a readable file"):
        convert_discriminator(path)


@pytest.mark.thorough
@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", ["names", "anywhere"])
def test_flipped_bits_give_discriminators_or_an_error(part, tmp_path):
    chance, outcomes = random.Random(part), {True: 0, False: 0}
    folder, channels = tmp_path / "discriminators", {**SMALL, "period_channels": [2]}
    file = write_pth(tmp_path / "D_1.pth", stored_as(Original(periods=(2,), channels=channels).state_dict()))
    convert_discriminator(file, periods=[2]).save_pretrained(folder)
    whole = (folder / "model.safetensors").read_bytes()
    header = int.from_bytes(whole[:8], "little") + 8
    for _ in range(60):
        data = bytearray(whole)
        data[chance.randrange(header if part == "names" else len(data))] ^= 1 << chance.randrange(8)
        (folder / "model.safetensors").write_bytes(data)
        try:
            outcomes[isinstance(convert_discriminator(folder), VitsDiscriminator)] += 1
        except ValueError as error:
            assert str(error)
            outcomes[False] += 1
    assert outcomes[False] and (outcomes[True] or part == "names")
