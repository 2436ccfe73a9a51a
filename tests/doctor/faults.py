"""Faults, one each: how to damage a healthy model folder, and the diagnostic that it must get."""

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


def tokens(change):
    def damage(voice):
        table = voice.table("vocab.json")
        change(table)
        (voice.path / "vocab.json").write_text(json.dumps(table))

    return damage


def tensors(change):
    return lambda voice: voice.rewrite(change)


def value(name, change):
    return tensors(lambda table: table.update({name: change(table[name])}))


def text(name, content):
    return lambda voice: (voice.path / name).write_text(content)


def without(*names):
    def damage(voice):
        for name in names:
            (voice.path / name).unlink()

    return damage


def with_format(kind):
    def change(table):
        for name in [name for name in table if name.endswith(NEW_G)]:
            layer = name.removesuffix(NEW_G)
            g, v = table.pop(name), table.pop(layer + NEW_V)
            if kind == "old":
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


def initialized_anew(table):
    for name in table:
        if name.startswith("flow.flows") and ".conv_post." in name:
            table[name] = torch.zeros_like(table[name])


def without_training_parts(table):
    return {name: tensor for name, tensor in table.items() if not name.startswith(TRAINING_ONLY)}


def sharded(complete, listed=True):
    def damage(voice):
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

    return damage


def pickled(voice):
    torch.save(voice.tensors(), voice.path / "pytorch_model.bin")
    (voice.path / "model.safetensors").unlink()


def truncated(name):
    def damage(voice):
        data = (voice.path / name).read_bytes()
        (voice.path / name).write_bytes(data[: len(data) * 2 // 3])

    return damage


def with_discriminator(then=lambda voice: None, **fields):
    def damage(voice):
        voice.add_discriminator(**fields)
        then(voice)

    return damage


def discriminator_inside(voice):
    discriminator = voice.add_discriminator()
    shutil.rmtree(voice.path / "discriminator")
    voice.rewrite(lambda table: table.update({f"discriminator.{k}": v for k, v in discriminator.state_dict().items()}))


def discriminator_of_nan(voice):
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


FIX, NAMED, COMMAND = "--fix", "--fix --only", "command"
"""How a fault is removed: by automatic fixes, by one that has to be named, or by a shell command of the diagnostic."""

# id: (damage, severity, how it is removed)
ONE_SPEAKER = {
    "weights.missing": (tensors(lambda table: table.pop(CONV) is None), "error", None),
    "weights.training_only_missing": (tensors(without_training_parts), "error", FIX),
    "weights.unexpected": (tensors(lambda table: table.update(extra=torch.ones(2))), "error", None),
    "weights.shape": (value("decoder.conv_post.weight", lambda w: w[..., :5]), "error", None),
    "weights.invalid_type": (value(CONV, lambda w: w.to(torch.int32)), "error", None),
    "weights.mixed_types": (value(CONV, lambda w: w.half()), "warning", FIX),
    "weights.not_float32": (tensors(lambda t: {k: v.bfloat16() for k, v in t.items()}), "note", NAMED),
    "weights.norm_incomplete": (tensors(lambda table: table.pop(LAYER + NEW_G) is None), "error", None),
    "weights.norm_duplicated": (
        tensors(lambda table: table.update({LAYER + ".weight": table[LAYER + NEW_V] + 1})),
        "error",
        None,
    ),
    "weights.norm_shape": (value(LAYER + NEW_G, lambda g: g[:3]), "error", None),
    "weights.norm_old_format": (with_format("old"), "warning", FIX),
    "weights.norm_old_format, mixed": (tensors(mixed), "warning", FIX),
    "weights.norm_folded": (with_format("folded"), "warning", FIX),
    "weights.norm_outside_wavenet": (normed("decoder.upsampler.0"), "warning", FIX),
    "weights.training_only_unused": (config(inference_only=True, model_type="hf_vits"), "note", NAMED),
    "values.not_finite": (value(CONV, lambda w: w.index_fill(0, torch.tensor([2]), torch.inf)), "error", None),
    "values.not_finite, nan": (value(EMBEDDING, lambda w: w * torch.nan), "error", None),
    "values.zero_filter": (value(LAYER + NEW_V, zero_filter), "error", None),
    "values.constant": (value(CONV, lambda w: torch.full_like(w, 0.5)), "warning", None),
    "values.untrained": (tensors(initialized_anew), "warning", None),
    "config.missing": (without("config.json"), "error", None),
    "config.damaged": (text("config.json", "{'vocab_size': 20}"), "error", None),
    "config.damaged, a list": (text("config.json", "[1]"), "error", None),
    "config.damaged, deep": (text("config.json", '{"a":' * 100_000), "error", None),
    "config.invalid_type": (config(hidden_size="wide"), "error", FIX),
    "config.invalid_type, of rows": (config(resblock_dilation_sizes=[1, 2]), "error", None),
    "config.contradicts_weights": (config(vocab_size=30), "error", FIX),
    "config.contradicts_weights, kernels": (config(resblock_kernel_sizes=[7], hidden_size=32), "error", FIX),
    "config.invalid_ranges": (config(speaking_rate=0), "error", None),
    "config.invalid_decoder": (config(upsample_rates=[3]), "error", None),
    "config.invalid_signal": (config(mel_fmax=9000.0), "error", None),
    "config.hop_length": (config(hop_length=256), "error", FIX),
    "config.no_model_type": (config(without=["model_type"]), "warning", FIX),
    "config.model_type": (config(model_type="bert"), "error", FIX),
    "config.extended_as_vits": (block_of_the_other_type, "warning", FIX),
    "config.inference_only_as_vits": (config(inference_only=True), "warning", FIX),
    "config.plain_as_extended": (config(model_type="hf_vits"), "warning", FIX),
    "config.architectures": (config(without=["architectures"]), "note", NAMED),
    "config.finetune_hf_vits": (config(architectures=["VitsModelForPreTraining"]), "note", None),
    "config.misspelled_field": (config(without=["noise_scale"], noise_scales=0.5), "warning", FIX),
    "config.unknown_field": (config(favourite_colour="green"), "note", None),
    "config.rejected_by_transformers": (config(noise_scale=1), "warning", FIX),
    "signal.sampling_rate": (config(sampling_rate=23000), "warning", None),
    "signal.feature_extractor_mismatch": (text("preprocessor_config.json", json.dumps(FEATURES)), "warning", NAMED),
    "signal.feature_extractor_damaged": (text("preprocessor_config.json", "{"), "error", None),
    "signal.fft_shorter_than_hop": (few_bins, "warning", None),
    "signal.layerdrop": (lambda voice: None, "note", NAMED),
    "tokenizer.missing": (without("vocab.json"), "warning", None),
    "tokenizer.invalid_vocab": (tokens(lambda table: table.update(q=-1)), "error", None),
    "tokenizer.invalid_vocab, damaged": (text("vocab.json", "{"), "error", None),
    "tokenizer.repeated_token": (
        lambda voice: text("vocab.json", '{"a": 0, ' + json.dumps(voice.table("vocab.json"))[1:])(voice),
        "warning",
        None,
    ),
    "tokenizer.shared_id": (tokens(lambda table: table.update(q=3)), "warning", None),
    "tokenizer.id_out_of_range": (tokens(lambda table: table.update(q=20)), "error", None),
    "tokenizer.unused_embeddings": (tokens(lambda table: table.pop("c")), "note", None),
    "tokenizer.multi_character_token": (tokens(lambda table: (table.pop("c"), table.update(ch=3))), "warning", None),
    "tokenizer.no_blank": (tokens(lambda table: table.pop("_")), "error", None),
    "tokenizer.blank_token": (tokenizer(blank_token="<blank>"), "error", FIX),
    "tokenizer.blank_id": (config(blank_id=4), "warning", FIX),
    "tokenizer.pad_is_letter": (tokenizer(pad_token="k"), "note", None),
    "tokenizer.unknown_out_of_range": (tokenizer(normalize=False), "warning", None),
    "tokenizer.no_language": (tokenizer(phonemize=True, unk_token="_"), "note", None),
    "tokenizer.config_missing": (without("tokenizer_config.json"), "warning", None),
    "tokenizer.config_damaged": (text("tokenizer_config.json", "{"), "error", None),
    "tokenizer.invalid_option": (tokenizer(is_uroman="yes"), "error", None),
    "tokenizer.class": (tokenizer(tokenizer_class="BertTokenizer"), "warning", None),
    "speakers.no_embedding": (config(num_speakers=3), "error", None),
    "discriminator.unreadable": (with_discriminator(truncated("discriminator/model.safetensors")), "error", None),
    "discriminator.mismatch": (
        with_discriminator(lambda voice: voice.change("discriminator/config.json", period_channels=[4, 8])),
        "error",
        None,
    ),
    "discriminator.not_finite": (with_discriminator(discriminator_of_nan), "error", None),
    "discriminator.in_model_file": (discriminator_inside, "error", FIX),
    "smoke_test.model": (config(dtype="floating"), "error", None),
    "smoke_test.tokenizer": (tokenizer(unicode_form="NFX"), "error", None),
    "smoke_test.silent": (value("decoder.conv_post.weight", torch.zeros_like), "warning", None),
    "smoke_test.too_long": (value("duration_predictor.flows.0.translate", lambda shift: shift - 6), "warning", None),
    "smoke_test.not_finite": (value("decoder.conv_pre.weight", lambda w: w.sign() * 3e38), "error", None),
    "files.no_weights": (without("model.safetensors"), "error", None),
    "files.damaged": (truncated("model.safetensors"), "error", None),
    "files.pickle": (pickled, "warning", FIX),
    "files.two_sets": (text("pytorch_model.bin", ""), "note", None),
    "files.missing_shards": (sharded(complete=False), "error", None),
    "files.index": (sharded(complete=True, listed=False), "error", None),
    "files.no_tensors": (training_state_as_weights, "error", None),
    "files.checkpoint": (lambda voice: torch.save({"step": 3}, voice.path / "training_state.pt"), "note", None),
    "files.training_state": (state, "error", None),
    "files.leftover": (lambda voice: (voice.path / ".voice.abc.partial").mkdir(), "note", COMMAND),
    "license.non_commercial": (text("README.md", "---\nlicense: cc-by-nc-4.0\n---\n"), "warning", None),
    "license.base_model": (
        text("README.md", "---\nlicense: mit\nbase_model: facebook/mms-tts-eng\n---\n"),
        "warning",
        None,
    ),
    "license.base_model, by name": (config(_name_or_path="facebook/mms-tts-hin"), "warning", None),
    "license.research": (text("README.md", "---\nlicense: other\nlicense_name: research-only\n---\n"), "note", None),
    "license.card_size": (text("README.md", "-" * 30_000_000), "warning", None),
    "license.unknown": (without("README.md"), "note", None),
}

THREE_SPEAKERS = {
    "speakers.unnamed": (config(speaker_names=None), "note", NAMED),
    "speakers.names_count": (config(speaker_names=["ada", "bea"]), "error", FIX),
    "speakers.names_repeated": (config(speaker_names=["ada", "bea", "ada"]), "error", FIX),
    "speakers.names_empty": (config(speaker_names=["ada", " ", "cem"]), "error", FIX),
    "config.contradicts_weights": (config(num_speakers=4, speaker_names=None), "error", FIX),
}
