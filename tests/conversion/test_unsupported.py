"""Models that users take for voices of a known format: the error says what they are, not that a tensor is missing."""

import re
from pathlib import Path

import pytest
import torch
from original_discriminators import Original, prefixed, stored_as
from original_files import in_original_layout, tiny_model
from piper_checkpoints import in_piper_layout

import hf_vits.conversion
from hf_vits.cli import VERBS
from hf_vits.conversion import convert
from hf_vits.conversion.unsupported import UNSUPPORTED, refusal

ORIGINAL = ("enc_p.emb.weight", "dec.conv_pre.weight", "flow.flows.0.enc.in_layers.0.weight_v", "enc_q.pre.weight")
"""Names that VITS and its descendants share."""

FILES = {
    "a VITS voice of ESPnet": (None, ("tts.generator.text_encoder.encoder.encoders.0.self_attn.linear_q.weight",)),
    "a voice conversion model of RVC": ("weight", ("enc_p.emb_phone.weight", "enc_p.emb_pitch.weight", *ORIGINAL[1:])),
    "a voice conversion model of so-vits-svc": ("model", ("enc_p.f0_emb.weight", "pre.weight", *ORIGINAL[1:])),
    "a model of GPT-SoVITS": ("weight", ("enc_p.ssl_proj.weight", "ref_enc.fc.fc.weight", *ORIGINAL[1:])),
    "a voice of Bert-VITS2 or a descendant": (
        "model",
        ("enc_p.tone_emb.weight", "enc_p.ja_bert_proj.weight", "ref_enc.convs.0.weight_v", *ORIGINAL),
    ),
    "a VITS2 voice with another flow": (
        "model",
        ("flow.flows.0.pre_transformer.attn_layers.0.emb_rel_k", *ORIGINAL),
    ),
    "a model of Matcha-TTS or Grad-TTS": (
        "state_dict",
        ("encoder.emb.weight", "encoder.proj_m.weight", "decoder.estimator.time_mlp.linear_1.weight"),
    ),
    "a tone converter of OpenVoice": ("model", ("ref_enc.convs.0.weight_v", *ORIGINAL[1:])),
    "a Tacotron 2 model": ("state_dict", ("embedding.weight", "decoder.attention_rnn.weight_ih")),
    "an XTTS model of Coqui": ("model", ("gpt.gpt.h.0.ln_1.weight", "hifigan_decoder.waveform_decoder.ups.0.bias")),
    "a Glow-TTS model of Coqui": (
        "model",
        ("encoder.emb.weight", "encoder.proj_m.weight", "decoder.flows.0.logs"),
    ),
    "the discriminators of a voice": (
        "model",
        ("discriminators.0.convs.0.weight_v", "discriminators.0.conv_post.bias"),
    ),
}
NESTED = {
    "a HiFi-GAN vocoder": ("generator", ("conv_pre.weight_g", "ups.0.weight_g", "resblocks.0.convs1.0.weight_g")),
    "a StyleTTS 2 model": (
        "net",
        {"style_encoder": ("module.shared.0.bias",), "bert_encoder": ("weight",), "decoder": ("module.F0_conv.bias",)},
    ),
}


def tensors(names):
    return {name: torch.ones(2) for name in names}


@pytest.mark.parametrize("name", FILES)
def test_a_neighbour_is_called_by_its_name_and_no_folder_is_made(name, tmp_path):
    table, names = FILES[name]
    contents = tensors(names) if table is None else {table: tensors(names), "config": [1, 2], "sr": "40k"}
    torch.save(contents, tmp_path / "voice.pth")

    with pytest.raises(ValueError, match=f"voice.pth is of no format .* It holds {name}"):
        convert(tmp_path / "voice.pth").save(tmp_path / "voice")
    assert not (tmp_path / "voice").exists()


@pytest.mark.parametrize("name", NESTED)
def test_a_neighbour_whose_weights_lie_deeper_is_called_by_its_name(name, tmp_path):
    table, names = NESTED[name]
    inner = {key: tensors(parts) for key, parts in names.items()} if isinstance(names, dict) else tensors(names)
    torch.save({table: inner, "steps": 5}, tmp_path / "voice.pth")

    with pytest.raises(ValueError, match=f"voice.pth holds no table of weights.* It holds {name}"):
        convert(tmp_path / "voice.pth")


def test_every_neighbour_is_tested():
    assert len(UNSUPPORTED) == len(FILES) + len(NESTED)
    names = [*FILES, *NESTED]
    assert all(any(model.name.startswith(name) for name in names) for model in UNSUPPORTED)


@pytest.mark.parametrize("overrides", [{}, {"num_speakers": 3, "speaker_embedding_size": 6}], ids=["one", "speakers"])
def test_no_voice_of_a_known_format_is_taken_for_a_neighbour(overrides):
    model = tiny_model(**overrides)
    discriminators = prefixed("discriminator.", stored_as(Original().state_dict()))
    coqui = ["text_encoder.emb.weight", "waveform_decoder.conv_pre.weight", "disc.nets.0.convs.0.weight_g"]

    assert refusal(in_original_layout(model)) is None
    assert refusal(in_piper_layout(model, Original(), "OHF-Voice")) is None
    assert refusal([*model.state_dict(), *discriminators]) is None
    assert refusal(coqui) is None and refusal([]) is None


def test_no_reader_names_a_verb_that_does_not_exist():
    files = sorted(Path(hf_vits.conversion.__file__).parent.rglob("*.py"))
    named = {verb for file in files for verb in re.findall(r"`hf-vits (\w+)", file.read_text(encoding="utf-8"))}

    assert named <= set(VERBS)
    assert "examples/train.py" in next(why.why for why in UNSUPPORTED if "ESPnet" in why.name)
