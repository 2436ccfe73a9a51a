"""A discriminator in plain PyTorch, built from the published layers alone, and the layouts that projects save it in."""

import json

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from hf_vits.conversion.discriminators import convert_discriminator

SCALE = [(15, 1, 1), (41, 4, 4), (41, 4, 16), (41, 4, 64), (41, 4, 256), (5, 1, 1)]
"""Kernel, stride and groups of a scale discriminator's convolutions; fewer groups where there are fewer channels."""
SMALL = {"scale_channels": [4, 8, 16, 16, 16, 16], "period_channels": [3, 4, 5, 6, 6]}
PAPER = {"scale_channels": [16, 64, 256, 1024, 1024, 1024], "period_channels": [32, 128, 512, 1024, 1024]}


class Discriminator(nn.Module):
    """Convolutions, a last one, and what is done to the waveform before."""

    def __init__(self, convs, conv_post, prepare):
        super().__init__()
        self.convs, self.conv_post, self.prepare = nn.ModuleList(convs), conv_post, prepare

    def forward(self, waveform):
        features, signal = [], self.prepare(waveform)
        for conv in self.convs:
            signal = F.leaky_relu(conv(signal), 0.1)
            features.append(signal)
        features.append(self.conv_post(signal))
        return features


def scale_discriminator(channels, halvings):
    inputs = [1, *channels[:-1]]
    convs = []
    for c_in, c_out, (kernel, stride, most) in zip(inputs, channels, SCALE, strict=True):
        groups = max(g for g in range(1, most + 1) if c_in % g == c_out % g == 0)
        convs.append(nn.Conv1d(c_in, c_out, kernel, stride, (kernel - 1) // 2, groups=groups))

    def prepare(waveform):
        for _ in range(halvings):
            waveform = nn.AvgPool1d(4, 2, padding=2)(waveform)
        return waveform

    return Discriminator(convs, nn.Conv1d(channels[-1], 1, 3, padding=1), prepare)


def period_discriminator(channels, period, kernel=5, stride=3):
    inputs, last, pad = [1, *channels[:-1]], len(channels) - 1, (kernel - 1) // 2
    convs = [
        nn.Conv2d(c_in, c_out, (kernel, 1), (1 if i == last else stride, 1), padding=(pad, 0))
        for i, (c_in, c_out) in enumerate(zip(inputs, channels, strict=True))
    ]

    def prepare(waveform):
        batch, one, length = waveform.shape
        if length % period:
            short = period - length % period
            waveform, length = F.pad(waveform, (0, short), "reflect"), length + short
        return waveform.view(batch, one, length // period, period)

    return Discriminator(convs, nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)), prepare)


class Original(nn.Module):
    """The scale discriminators, then one discriminator for each period."""

    def __init__(self, scales=1, periods=(2, 3, 5, 7, 11), kernel=5, stride=3, channels=None, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        channels = channels or SMALL
        discriminators = [scale_discriminator(channels["scale_channels"], halvings) for halvings in range(scales)]
        discriminators += [
            period_discriminator(channels["period_channels"], period, kernel, stride) for period in periods
        ]
        self.discriminators = nn.ModuleList(discriminators)

    def forward(self, waveform):
        return [discriminator(waveform) for discriminator in self.discriminators]


def stored_as(state_dict, how="old"):
    """Store each weight w as g and v with w = g v / |v|, in a format of weight norm; "mixed" takes them in turn."""
    noise, result = torch.Generator().manual_seed(1), {}
    layers = sorted(key.removesuffix(".weight") for key in state_dict if key.endswith(".weight"))
    for number, layer in enumerate(layers):
        weight = state_dict[layer + ".weight"]
        way = ("old", "new", "folded")[number % 3] if how == "mixed" else how
        result[layer + ".bias"] = state_dict[layer + ".bias"]
        if way == "folded":
            result[layer + ".weight"] = weight
            continue
        g = weight.flatten(1).norm(dim=1).view(-1, *[1] * (weight.dim() - 1))
        v = weight * (0.5 + torch.rand(g.shape, generator=noise, dtype=torch.float64)).to(weight.dtype)
        names = ("weight_g", "weight_v") if way == "old" else ("original0", "original1")
        stem = layer + (".parametrizations.weight." if way == "new" else ".")
        result[stem + names[0]], result[stem + names[1]] = g, v
    return result


def prefixed(prefix, state_dict):
    return {prefix + key: tensor for key, tensor in state_dict.items()}


def as_fine_tuner(state_dict):
    return {key.replace("conv_post", "final_conv"): tensor for key, tensor in state_dict.items()}


def write_pth(file, state_dict):
    """As the original saves it, with the optimiser's moments."""
    parameters = [nn.Parameter(tensor.clone()) for tensor in list(state_dict.values())[:2]]
    optimizer = torch.optim.AdamW(parameters, 2e-4, betas=(0.8, 0.99), eps=1e-9)
    sum(parameter.sum() for parameter in parameters).backward()
    optimizer.step()
    table = {"model": state_dict, "iteration": 3, "optimizer": optimizer.state_dict(), "learning_rate": 2e-4}
    torch.save(table, file)
    return file


FIELDS = {
    "discriminator_kernel_size": 5,
    "discriminator_stride": 3,
    "discriminator_periods": [2, 3, 5, 7, 11],
    "discriminator_period_channels": [1, *SMALL["period_channels"][:-1]],
    "discriminator_scale_channels": [1, *SMALL["scale_channels"][:-2]],
    "segment_size": 8192,
}


def write_fine_tuner(folder, voice, state_dict, **fields):
    """A voice's folder with folded discriminators among its weights, and what config.json says of them."""
    voice.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors") | prefixed("discriminator.", as_fine_tuner(state_dict))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": ["VitsModelForPreTraining"], "hop_length": voice.config.hop_length, **FIELDS, **fields}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def shard(folder):
    """The same weights in three files with an index, discriminators and voice mixed."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = {key: f"model-{number % 3 + 1:05}-of-00003.safetensors" for number, key in enumerate(sorted(tensors))}
    for name in set(names.values()):
        part = {key: tensor for key, tensor in tensors.items() if names[key] == name}
        save_file(part, folder / name, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def in_pth(folder, state_dict, voice):
    return write_pth(folder / "D_100000.pth", stored_as(state_dict))


def in_folder_of_pth(folder, state_dict, voice):
    torch.save({"model": {}}, folder / "G_100000.pth")
    return in_pth(folder, state_dict, voice).parent


def in_ddp_pth(folder, state_dict, voice):
    return write_pth(folder / "D_100000.pth", prefixed("module.", stored_as(state_dict)))


def in_plain_pth(folder, state_dict, voice):
    torch.save(stored_as(state_dict, "new"), folder / "discriminators.pth")
    return folder / "discriminators.pth"


def in_lightning(folder, state_dict, voice):
    tensors = prefixed("model_d.", stored_as(state_dict)) | {"model_g.enc_p.emb.weight": torch.zeros(2, 3)}
    torch.save({"state_dict": tensors, "epoch": 3, "hyper_parameters": {"resblock": "2"}}, folder / "epoch=3.ckpt")
    return folder / "epoch=3.ckpt"


def in_fine_tuner(folder, state_dict, voice):
    return write_fine_tuner(folder / "train", voice, state_dict)


def in_fine_tuner_file(folder, state_dict, voice):
    return in_fine_tuner(folder, state_dict, voice) / "model.safetensors"


def in_fine_tuner_shards(folder, state_dict, voice):
    return shard(in_fine_tuner(folder, state_dict, voice))


def in_fine_tuner_pickle(folder, state_dict, voice):
    path = in_fine_tuner(folder, state_dict, voice)
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    return path


def in_mid_training(folder, state_dict, voice):
    voice.save_pretrained(folder / "checkpoint-50")
    (folder / "checkpoint-50" / "config.json").unlink()
    discriminators = as_fine_tuner(stored_as(state_dict, "mixed"))
    save_file(discriminators, folder / "checkpoint-50" / "model_1.safetensors", metadata={"format": "pt"})
    return folder / "checkpoint-50"


def in_mid_training_pickle(folder, state_dict, voice):
    torch.save(as_fine_tuner(stored_as(state_dict, "mixed")), folder / "pytorch_model_1.bin")
    return folder


def in_ours(folder, state_dict, voice):
    convert_discriminator(in_pth(folder, state_dict, voice)).save_pretrained(folder / "discriminators")
    return folder / "discriminators"


def in_our_subfolder(folder, state_dict, voice):
    voice.save_pretrained(folder / "checkpoint")
    in_ours(folder, state_dict, voice).rename(folder / "checkpoint" / "discriminator")
    return folder / "checkpoint"


LAYOUTS = [function for name, function in list(globals().items()) if name.startswith("in_")]
