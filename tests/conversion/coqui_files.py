"""Writes small models as Coqui TTS saves them, from what is known of its format."""

import json
import re

import torch

SYMBOLS = {
    "characters_class": "TTS.tts.models.vits.VitsCharacters",
    "pad": "_",
    "punctuations": "!',. ",
    "characters": "abcdefgh",
    "phonemes": "əæˈðɪ",
}
"""20 symbols with the blank."""

NAMES = (
    (r"text_encoder\.embed_tokens", "text_encoder.emb"),
    (r"text_encoder\.project", "text_encoder.proj"),
    (r"(text_encoder\.encoder)\.layers\.(\d+)\.attention\.([qkv])_proj", r"\1.attn_layers.\2.conv_\3"),
    (r"(text_encoder\.encoder)\.layers\.(\d+)\.attention\.out_proj", r"\1.attn_layers.\2.conv_o"),
    (r"(text_encoder\.encoder)\.layers\.(\d+)\.attention\.emb", r"\1.attn_layers.\2.emb"),
    (r"(text_encoder\.encoder)\.layers\.(\d+)\.feed_forward", r"\1.ffn_layers.\2"),
    (r"(text_encoder\.encoder)\.layers\.(\d+)\.layer_norm", r"\1.norm_layers_1.\2"),
    (r"(text_encoder\.encoder)\.layers\.(\d+)\.final_layer_norm", r"\1.norm_layers_2.\2"),
    (r"^decoder\.cond\.", "waveform_decoder.cond_layer."),
    (r"^decoder\.upsampler", "waveform_decoder.ups"),
    (r"^decoder\.", "waveform_decoder."),
    (r"^embed_speaker", "emb_g"),
    (r"^embed_language", "emb_l"),
    (r"\.wavenet\.", ".enc."),
    (r"^(posterior_encoder|flow\.flows\.\d+)\.conv_(pre|post|proj)\.", r"\1.\2."),
    (r"^duration_predictor\.cond_language", "duration_predictor.cond_lang"),
    (r"^(duration_predictor.*)\.translate", r"\1.translation"),
    (r"^(duration_predictor.*)convs_dilated", r"\1convs_sep"),
    (r"^(duration_predictor.*)convs_pointwise", r"\1convs_1x1"),
    (r"^(duration_predictor.*)conv_dds", r"\1convs"),
    (r"^(duration_predictor.*[._])conv_(pre|proj)\.", r"\1\2."),
    (r"^(.*norm\w*(?:\.\d+)?)\.weight$", r"\1.gamma"),
    (r"^(.*norm\w*(?:\.\d+)?)\.bias$", r"\1.beta"),
)


def coqui_name(name):
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def tensors_of(model, weight_format="new", normed_decoder=False, discriminators=None):
    """The tensors of a model as Coqui names them; `weight_format` of weight norm is of its "old" or "new" PyTorch."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        theirs = coqui_name(name)
        if re.search(r"attn_layers\.\d+\.conv_.\.weight$", theirs):
            tensor = tensor.unsqueeze(-1)
        if re.fullmatch(r"duration_predictor\.norm_[12]\.(gamma|beta)", theirs):
            tensor = tensor[None, :, None]
        tensors[theirs] = tensor
    if normed_decoder:
        for name in [n for n in tensors if re.match(r"waveform_decoder\.(ups|resblocks)\..*weight$", n)]:
            weight = tensors.pop(name)
            stem = name.removesuffix("weight") + "parametrizations.weight.original"
            tensors[stem + "0"] = 2 * torch.linalg.vector_norm(weight, dim=(1, 2), keepdim=True)
            tensors[stem + "1"] = 3 * weight  # sounds as twice the weight
    if discriminators is not None:
        tensors |= {f"disc.{n.replace('discriminators', 'nets', 1)}": t for n, t in discriminators.state_dict().items()}
    if weight_format == "old":
        old = (("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v"))
        tensors = {n.replace(*old[0]).replace(*old[1]): t for n, t in tensors.items()}
    return tensors


def config_of(model, changes=None):
    """What config.json says of a model; `changes` are by dotted path."""
    c = model.config
    config = {
        "model": "vits",
        "run_name": "test",
        "audio": {
            "fft_size": c.fft_size,
            "win_length": c.fft_size,
            "hop_length": c.hop_length,
            "sample_rate": 22_050,
            "num_mels": 12,
            "mel_fmin": 20.0,
            "mel_fmax": None,
        },
        "model_args": {
            "num_chars": c.vocab_size,
            "out_channels": c.spectrogram_bins,
            "hidden_channels": c.hidden_size,
            "hidden_channels_ffn_text_encoder": c.ffn_dim,
            "num_heads_text_encoder": c.num_attention_heads,
            "num_layers_text_encoder": c.num_hidden_layers,
            "kernel_size_text_encoder": 3,
            "dropout_p_text_encoder": 0.2,
            "dropout_p_duration_predictor": 0.4,
            "kernel_size_flow": 5,
            "dilation_rate_flow": 1,
            "dilation_rate_posterior_encoder": 1,
            "num_layers_flow": c.prior_encoder_num_wavenet_layers,
            "num_layers_posterior_encoder": c.posterior_encoder_num_wavenet_layers,
            "resblock_type_decoder": c.resblock_type,
            "resblock_kernel_sizes_decoder": list(c.resblock_kernel_sizes),
            "resblock_dilation_sizes_decoder": [list(row) for row in c.resblock_dilation_sizes],
            "upsample_rates_decoder": list(c.upsample_rates),
            "upsample_kernel_sizes_decoder": list(c.upsample_kernel_sizes),
            "upsample_initial_channel_decoder": c.upsample_initial_channel,
            "use_sdp": c.use_stochastic_duration_prediction,
            "inference_noise_scale": 0.5,
            "inference_noise_scale_dp": 1.0,
            "length_scale": 1.25,
            "use_speaker_embedding": c.num_speakers > 1,
            "use_language_embedding": c.language_embedding_size > 0,
        },
        "languages": ["en"],
        "use_phonemes": True,
        "phonemizer": "espeak",
        "phoneme_language": "en-us",
        "text_cleaner": "phoneme_cleaners",
        "characters": dict(SYMBOLS),
        "add_blank": True,
        "max_text_len": float("inf"),
    }
    for path, value in (changes or {}).items():
        part = config
        *parents, last = path.split(".")
        for parent in parents:
            part = part[parent]
        if value is ...:
            part.pop(last, None)
        else:
            part[last] = value
    return config


def write_voice(folder, model, changes=None, inside=False, rest=None, **layout):
    """best_model.pth and config.json, or the latter inside of the former."""
    config = config_of(model, changes)
    state = {"model": tensors_of(model, **layout), "optimizer": None, "step": 7, "date": "May 1, 2024", **(rest or {})}
    if inside:
        state["config"] = config
    else:
        (folder / "config.json").write_text(json.dumps(config))
    torch.save(state, folder / "best_model.pth")
    return folder / "best_model.pth"
