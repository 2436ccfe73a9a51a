"""VITS2's text encoder and `pre_conv` flow, stated on the tensors of its checkpoints with plain operations.

A dense table of relative positions, convolutions as they are stored, every mask left out: one text at a time.
"""

import re

import torch
from torch.nn import functional as F


def conv(tensors, name, hidden):
    """hidden (C, T) -> (C', T), zeros outside; the weight of a linear layer is one of kernel 1."""
    if f"{name}.weight_v" in tensors:
        v, g = tensors[f"{name}.weight_v"], tensors[f"{name}.weight_g"]
        weight = g * v / v.flatten(1).norm(dim=1).view(-1, 1, 1)
    else:
        weight = tensors[f"{name}.weight"]
    weight = weight.unsqueeze(-1) if weight.dim() == 2 else weight
    return F.conv1d(hidden[None], weight, tensors[f"{name}.bias"], padding=weight.shape[-1] // 2)[0]


def norm(tensors, name, hidden):
    return F.layer_norm(hidden.T, hidden.shape[:1], tensors[f"{name}.gamma"], tensors[f"{name}.beta"]).T


def attention(tensors, name, hidden, heads):
    """hidden (C, T) -> (C, T), position by position (Shaw et al. 2018)."""
    size, length = hidden.shape[0] // heads, hidden.shape[1]
    q, k, v = (conv(tensors, f"{name}.conv_{x}", hidden).view(heads, size, length).mT for x in "qkv")
    relative = [torch.zeros(length, length, size, dtype=hidden.dtype) for _ in "kv"]
    if f"{name}.emb_rel_k" in tensors:
        window = tensors[f"{name}.emb_rel_k"].shape[1] // 2
        for i in range(length):
            for j in range(max(0, i - window), min(length, i + window + 1)):
                for table, x in zip(relative, "kv", strict=True):
                    table[i, j] = tensors[f"{name}.emb_rel_{x}"][0, j - i + window]
    scores = (torch.einsum("hid,hjd->hij", q, k) + torch.einsum("hid,ijd->hij", q, relative[0])) / size**0.5
    weights = scores.softmax(dim=-1)
    mixed = torch.einsum("hij,hjd->hid", weights, v) + torch.einsum("hij,ijd->hid", weights, relative[1])
    return conv(tensors, f"{name}.conv_o", mixed.mT.reshape(heads * size, length))


def transformer(tensors, name, hidden, heads=2, speaker=None):
    """hidden (C, T), speaker (S,) -> (C, T): layers that normalize after; the speaker enters at the third."""
    for layer in range(sum(key.startswith(f"{name}.attn_layers.") and key.endswith("conv_q.bias") for key in tensors)):
        if layer == 2 and speaker is not None:
            hidden = hidden + conv(tensors, f"{name}.spk_emb_linear", speaker[:, None])
        hidden = hidden + attention(tensors, f"{name}.attn_layers.{layer}", hidden, heads)
        hidden = norm(tensors, f"{name}.norm_layers_1.{layer}", hidden)
        inner = conv(tensors, f"{name}.ffn_layers.{layer}.conv_1", hidden).relu()
        hidden = hidden + conv(tensors, f"{name}.ffn_layers.{layer}.conv_2", inner)
        hidden = norm(tensors, f"{name}.norm_layers_2.{layer}", hidden)
    return hidden


def prior(tensors, ids, speaker=None):
    """ids (T,) -> mean and log standard deviation (C, T)."""
    table = tensors["enc_p.emb.weight"]
    hidden = transformer(tensors, "enc_p.encoder", table[ids].T * table.shape[1] ** 0.5, speaker=speaker)
    return conv(tensors, "enc_p.proj", hidden).chunk(2)


def wavenet(tensors, name, hidden, speaker=None):
    layers = sum(key.startswith(f"{name}.in_layers.") and key.endswith(".bias") for key in tensors)
    total, size = 0, hidden.shape[0]
    for layer in range(layers):
        inner = conv(tensors, f"{name}.in_layers.{layer}", hidden)
        if speaker is not None:
            part = slice(2 * size * layer, 2 * size * (layer + 1))
            inner = inner + conv(tensors, f"{name}.cond_layer", speaker[:, None])[part]
        out = conv(tensors, f"{name}.res_skip_layers.{layer}", inner[:size].tanh() * inner[size:].sigmoid())
        if layer < layers - 1:
            hidden, out = hidden + out[:size], out[size:]
        total = total + out
    return total


def inverse_flow(tensors, sample, speaker=None):
    """sample of the prior (C, T) -> latents (C, T): of each coupling, then of the reversal before it."""
    numbers = sorted({int(match[1]) for key in tensors if (match := re.match(r"flow\.flows\.(\d+)\.pre\.", key))})
    for name in [f"flow.flows.{number}" for number in reversed(numbers)]:
        kept, moved = sample.flip(0).chunk(2)
        seen = kept + transformer(tensors, f"{name}.pre_transformer", kept)
        mixed = wavenet(tensors, f"{name}.enc", conv(tensors, f"{name}.pre", seen), speaker)
        shift = conv(tensors, f"{name}.post", mixed)
        sample = torch.cat([kept, moved - shift])
    return sample
