"""Faults, one each: what is done to a healthy voice, and the one finding above a note that it must give."""

import json
import shutil

import torch
from safetensors.torch import save_file

from hf_vits.hub.state_dict import TRAINING_ONLY
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V, fold

EMBEDDING = "text_encoder.embed_tokens.weight"
LAYER = "flow.flows.0.wavenet.in_layers.0"
CONV = "decoder.conv_pre.weight"


def config(without=(), **fields):
    return lambda voice: voice.change("config.json", without, **fields)


def tokenizer(without=(), **fields):
    return lambda voice: voice.change("tokenizer_config.json", without, **fields)


def symbols(change):
    def provoke(voice):
        table = voice.table("vocab.json")
        change(table)
        (voice.path / "vocab.json").write_text(json.dumps(table))

    return provoke


def tensors(change):
    return lambda voice: voice.rewrite(change)


def value(name, change):
    return tensors(lambda table: table.update({name: change(table[name])}))


def text(name, content):
    return lambda voice: (voice.path / name).write_text(content)


def without(*names):
    def provoke(voice):
        for name in names:
            (voice.path / name).unlink()

    return provoke


def respelt(way):
    def change(table):
        for name in [name for name in table if name.endswith(NEW_G)]:
            layer = name.removesuffix(NEW_G)
            g, v = table.pop(name), table.pop(layer + NEW_V)
            if way == "old":
                table[layer + OLD_G], table[layer + OLD_V] = g, v
            else:
                table[layer + ".weight"] = fold(g, v)

    return tensors(change)


def mixed(table):
    table[LAYER + OLD_G], table[LAYER + OLD_V] = table.pop(LAYER + NEW_G), table.pop(LAYER + NEW_V)


def normed(layer):
    """Gives a layer that is stored plain the weight norm of a checkpoint in the middle of training."""

    def change(table):
        weight = table.pop(f"{layer}.weight")
        table[layer + OLD_G], table[layer + OLD_V] = torch.norm_except_dim(weight, 2, 0), weight

    return tensors(change)


def zero_filter(v):
    return torch.cat([torch.zeros_like(v[:1]), v[1:]])


def started_anew(table):
    for name in table:
        if name.startswith("flow.flows") and ".conv_post." in name:
            table[name] = torch.zeros_like(table[name])


def without_training_parts(table):
    return {name: tensor for name, tensor in table.items() if not name.startswith(TRAINING_ONLY)}


def sharded(complete, listed=True):
    def provoke(voice):
        table = voice.tensors()
        names = sorted(table)
        parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
        for file, part in parts.items():
            save_file({name: table[name] for name in part}, voice.path / file)
        places = {name: file for file, part in parts.items() for name in part}
        if not listed:
            places["decoder.extra.weight"] = "a.safetensors"
        (voice.path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
        (voice.path / "model.safetensors").unlink()
        if not complete:
            (voice.path / "b.safetensors").unlink()

    return provoke


def pickled(voice):
    torch.save(voice.tensors(), voice.path / "pytorch_model.bin")
    (voice.path / "model.safetensors").unlink()


def truncated(name):
    def provoke(voice):
        data = (voice.path / name).read_bytes()
        (voice.path / name).write_bytes(data[: len(data) * 2 // 3])

    return provoke


def with_judges(then=lambda voice: None, **fields):
    def provoke(voice):
        voice.add_judges(**fields)
        then(voice)

    return provoke


def judges_inside(voice):
    judges = voice.add_judges()
    shutil.rmtree(voice.path / "discriminator")
    voice.rewrite(lambda table: table.update({f"discriminator.{k}": v for k, v in judges.state_dict().items()}))


def judges_of_nan(voice):
    file = voice.path / "discriminator" / "model.safetensors"
    table = {name: torch.full_like(tensor, torch.nan) for name, tensor in voice.tensors_of(file).items()}
    save_file(table, file)


def state(voice):
    torch.save({"step": 3}, voice.path / "training_state.pt")
    truncated("training_state.pt")(voice)


def few_bins(voice):
    config(spectrogram_bins=3)(voice)
    value("posterior_encoder.conv_pre.weight", lambda w: w[:, :3])(voice)


def training_state_as_weights(voice):
    torch.save({"model": voice.tensors(), "iteration": 3}, voice.path / "pytorch_model.bin")
    (voice.path / "model.safetensors").unlink()


FEATURES = {"sampling_rate": 22050, "hop_length": 256, "n_fft": 16}


def block_of_the_other_type(voice):
    """Leaves one convolution of each pair, as HiFi-GAN's second block has them."""
    config(resblock_type="2")(voice)
    voice.rewrite(
        lambda table: {name.replace(".convs1.", ".convs."): t for name, t in table.items() if ".convs2." not in name}
    )


# id: (what is done, severity, whether the command mends it)
ONE_SPEAKER = {
    "weights.missing": (tensors(lambda table: table.pop(CONV) is None), "error", False),
    "weights.training_only_missing": (tensors(without_training_parts), "error", True),
    "weights.unexpected": (tensors(lambda table: table.update(extra=torch.ones(2))), "error", False),
    "weights.shape": (value("decoder.conv_post.weight", lambda w: w[..., :5]), "error", False),
    "weights.type": (value(CONV, lambda w: w.to(torch.int32)), "error", False),
    "weights.mixed_types": (value(CONV, lambda w: w.half()), "warning", True),
    "weights.stored_type": (tensors(lambda t: {k: v.bfloat16() for k, v in t.items()}), "note", True),
    "weights.norm_half": (tensors(lambda table: table.pop(LAYER + NEW_G) is None), "error", False),
    "weights.norm_twice": (
        tensors(lambda table: table.update({LAYER + ".weight": table[LAYER + NEW_V] + 1})),
        "error",
        False,
    ),
    "weights.norm_shape": (value(LAYER + NEW_G, lambda g: g[:3]), "error", False),
    "weights.norm_old": (respelt("old"), "warning", True),
    "weights.norm_old, mixed": (tensors(mixed), "warning", True),
    "weights.norm_folded": (respelt("folded"), "warning", True),
    "weights.norm_elsewhere": (normed("decoder.upsampler.0"), "warning", True),
    "weights.training_parts_unused": (config(inference_only=True, model_type="hf_vits"), "note", True),
    "values.not_finite": (value(CONV, lambda w: w.index_fill(0, torch.tensor([2]), torch.inf)), "error", False),
    "values.not_finite, nan": (value(EMBEDDING, lambda w: w * torch.nan), "error", False),
    "values.zero_filter": (value(LAYER + NEW_V, zero_filter), "error", False),
    "values.constant": (value(CONV, lambda w: torch.full_like(w, 0.5)), "warning", False),
    "values.untrained": (tensors(started_anew), "warning", False),
    "config.missing": (without("config.json"), "error", False),
    "config.damaged": (text("config.json", "{'vocab_size': 20}"), "error", False),
    "config.damaged, a list": (text("config.json", "[1]"), "error", False),
    "config.damaged, deep": (text("config.json", '{"a":' * 100_000), "error", False),
    "config.type": (config(hidden_size="wide"), "error", True),
    "config.type, of rows": (config(resblock_dilation_sizes=[1, 2]), "error", False),
    "config.disagrees": (config(vocab_size=30), "error", True),
    "config.disagrees, kernels": (config(resblock_kernel_sizes=[7], hidden_size=32), "error", True),
    "config.sizes": (config(speaking_rate=0), "error", False),
    "config.decoder": (config(upsample_rates=[3]), "error", False),
    "config.signal": (config(mel_fmax=9000.0), "error", False),
    "config.hop_length": (config(hop_length=256), "error", True),
    "config.no_model_type": (config(without=["model_type"]), "warning", True),
    "config.model_type": (config(model_type="bert"), "error", True),
    "config.extended_as_vits": (block_of_the_other_type, "warning", True),
    "config.inference_only_as_vits": (config(inference_only=True), "warning", True),
    "config.plain_as_extended": (config(model_type="hf_vits"), "warning", True),
    "config.architectures": (config(without=["architectures"]), "note", True),
    "config.fine_tuner": (config(architectures=["VitsModelForPreTraining"]), "note", False),
    "config.misspelt_field": (config(without=["noise_scale"], noise_scales=0.5), "warning", True),
    "config.unknown_field": (config(favourite_colour="green"), "note", False),
    "config.stock_refuses": (config(noise_scale=1), "warning", True),
    "signal.sampling_rate": (config(sampling_rate=23000), "warning", False),
    "signal.features": (text("preprocessor_config.json", json.dumps(FEATURES)), "warning", True),
    "signal.features_damaged": (text("preprocessor_config.json", "{"), "error", False),
    "signal.fft_below_hop": (few_bins, "warning", False),
    "signal.layerdrop": (lambda voice: None, "note", True),
    "tokenizer.missing": (without("vocab.json"), "warning", False),
    "tokenizer.vocab": (symbols(lambda table: table.update(q=-1)), "error", False),
    "tokenizer.vocab, damaged": (text("vocab.json", "{"), "error", False),
    "tokenizer.repeated_symbol": (
        lambda voice: text("vocab.json", '{"a": 0, ' + json.dumps(voice.table("vocab.json"))[1:])(voice),
        "warning",
        False,
    ),
    "tokenizer.shared_id": (symbols(lambda table: table.update(q=3)), "warning", False),
    "tokenizer.id_outside": (symbols(lambda table: table.update(q=20)), "error", False),
    "tokenizer.unused_rows": (symbols(lambda table: table.pop("c")), "note", False),
    "tokenizer.long_symbol": (symbols(lambda table: (table.pop("c"), table.update(ch=3))), "warning", False),
    "tokenizer.no_blank": (symbols(lambda table: table.pop("_")), "error", False),
    "tokenizer.blank_token": (tokenizer(blank_token="<blank>"), "error", True),
    "tokenizer.blank_id": (config(blank_id=4), "warning", True),
    "tokenizer.pad_letter": (tokenizer(pad_token="k"), "note", False),
    "tokenizer.unk_outside": (tokenizer(normalize=False), "warning", False),
    "tokenizer.no_language": (tokenizer(phonemize=True, unk_token="_"), "note", False),
    "tokenizer.config_missing": (without("tokenizer_config.json"), "warning", False),
    "tokenizer.config_damaged": (text("tokenizer_config.json", "{"), "error", False),
    "tokenizer.option": (tokenizer(is_uroman="yes"), "error", False),
    "tokenizer.class": (tokenizer(tokenizer_class="BertTokenizer"), "warning", False),
    "speakers.no_vectors": (config(num_speakers=3), "error", False),
    "judges.unreadable": (with_judges(truncated("discriminator/model.safetensors")), "error", False),
    "judges.misfit": (
        with_judges(lambda voice: voice.change("discriminator/config.json", period_channels=[4, 8])),
        "error",
        False,
    ),
    "judges.not_finite": (with_judges(judges_of_nan), "error", False),
    "judges.inside": (judges_inside, "error", True),
    "trial.model": (config(dtype="floating"), "error", False),
    "trial.tokenizer": (tokenizer(unicode_form="NFX"), "error", False),
    "trial.silent": (value("decoder.conv_post.weight", torch.zeros_like), "warning", False),
    "trial.long": (value("duration_predictor.flows.0.translate", lambda shift: shift - 6), "warning", False),
    "trial.not_finite": (value("decoder.conv_pre.weight", lambda w: w.sign() * 3e38), "error", False),
    "files.no_weights": (without("model.safetensors"), "error", False),
    "files.unreadable_weights": (truncated("model.safetensors"), "error", False),
    "files.pickle": (pickled, "warning", True),
    "files.both": (text("pytorch_model.bin", ""), "note", False),
    "files.shard_missing": (sharded(complete=False), "error", False),
    "files.index": (sharded(complete=True, listed=False), "error", False),
    "files.no_table": (training_state_as_weights, "error", False),
    "files.checkpoint": (lambda voice: torch.save({"step": 3}, voice.path / "training_state.pt"), "note", False),
    "files.state": (state, "error", False),
    "files.leftover": (lambda voice: (voice.path / ".voice.abc.partial").mkdir(), "note", True),
    "licence.non_commercial": (text("README.md", "---\nlicense: cc-by-nc-4.0\n---\n"), "warning", False),
    "licence.base": (
        text("README.md", "---\nlicense: mit\nbase_model: facebook/mms-tts-eng\n---\n"),
        "warning",
        False,
    ),
    "licence.base, by name": (config(_name_or_path="facebook/mms-tts-hin"), "warning", False),
    "licence.research": (text("README.md", "---\nlicense: other\nlicense_name: research-only\n---\n"), "note", False),
    "licence.card": (text("README.md", "-" * 30_000_000), "warning", False),
    "licence.unknown": (without("README.md"), "note", False),
}

THREE_SPEAKERS = {
    "speakers.unnamed": (config(speaker_names=None), "note", True),
    "speakers.names_count": (config(speaker_names=["ada", "bea"]), "error", True),
    "speakers.names_repeated": (config(speaker_names=["ada", "bea", "ada"]), "error", True),
    "speakers.names_empty": (config(speaker_names=["ada", " ", "cem"]), "error", True),
    "config.disagrees": (config(num_speakers=4, speaker_names=None), "error", True),
}
