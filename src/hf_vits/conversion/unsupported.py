"""Recognise models that resemble VITS voices and cannot be converted, by their tensors' names, and say why."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class UnsupportedModel:
    """
    A model that cannot be converted.

    Args:
        name (`str`):
            What it is.
        patterns (`tuple[str, ...]`):
            Regular expressions, each of which matches the beginning of a tensor's name.
        why (`str`):
            Why it is refused.
        absent (`str`, *optional*):
            Matches the beginning of no tensor's name.
    """

    name: str
    patterns: tuple[str, ...]
    why: str
    absent: str = r"\b\B"  # matches nothing

    def fits(self, names: Collection[str]) -> bool:
        """Return whether names of tensors are those of such a model."""
        present = all(any(re.match(pattern, name) for name in names) for pattern in self.patterns)
        return present and not any(re.match(self.absent, name) for name in names)


ANOTHER_PROGRAM = "Use the program that it was trained with."

UNSUPPORTED = (
    UnsupportedModel(
        "a VITS voice of ESPnet",
        (r"(tts\.)?generator\.text_encoder\.encoder\.encoders\.\d+\.",),
        "Its layers are other ones under the same name: the text encoder is a transformer or conformer that normalizes "
        "before each layer and has other relative positions, every layer of a WaveNet has its own convolution of the "
        "speaker, the last one too has a residual output, the decoder's last convolution has a bias. Use ESPnet "
        "itself, or train a voice here on the recordings (`examples/train.py`), which starts from any voice of the "
        "language.",
    ),
    UnsupportedModel(
        "a voice conversion model of RVC",
        (r"enc_p\.emb_phone\.",),
        "It converts speech into speech: its encoder takes features of a recording and their pitch instead of a text.",
    ),
    UnsupportedModel(
        "a voice conversion model of so-vits-svc",
        (r"enc_p\.f0_emb\.",),
        "It converts speech into speech: its encoder takes features of a recording and their pitch instead of a text.",
    ),
    UnsupportedModel(
        "a model of GPT-SoVITS",
        (r"enc_p\.ssl_proj\.",),
        "Its encoder takes tokens of speech that another network makes from the text and a recording. "
        + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a voice of Bert-VITS2 or a descendant, such as MeloTTS",
        (r"enc_p\.(tone_emb|bert_proj|ja_bert_proj)\.",),
        "Its text encoder takes tones, languages and features of a BERT besides symbols, and its flow is made of "
        "transformers. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a VITS2 voice with another flow than `pre_conv`",
        (
            r"(model_g\.)?flow\.flows\.(\d+\.pre_transformer\.attn_layers\.\d+\.emb_rel|\d+\.enc\.self_attn_layers\.|"
            r"\d*[13579]\.pre_transformer\.)",
        ),
        "Of VITS2's flows, only `pre_conv`, a transformer on half of the channels before the convolutions, is known "
        "here. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a model of Matcha-TTS or Grad-TTS",
        (r"decoder\.estimator\.", r"encoder\.proj_m\."),
        "It makes mel spectrograms, by flow matching or diffusion, and needs a vocoder. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a StyleTTS 2 model",
        (r"net\.style_encoder\.", r"net\.bert_encoder\."),
        "It uses style vectors, a BERT and diffusion, and has none of the parts of VITS. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a tone converter of OpenVoice",
        (r"ref_enc\.convs\.", r"enc_q\.pre\.", r"dec\.conv_pre\."),
        "It converts speech into speech: it has no text encoder.",
        absent=r"enc_p\.",
    ),
    UnsupportedModel(
        "a Tacotron 2 model",
        (r"decoder\.attention_rnn\.",),
        "It makes mel spectrograms, and needs a vocoder. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "an XTTS model of Coqui",
        (r"(xtts\.)?gpt\.gpt\.", r"(xtts\.)?hifigan_decoder\."),
        "It is a language model that writes tokens of speech. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a Glow-TTS model of Coqui",
        (r"encoder\.emb\.", r"decoder\.flows\.\d+\.", r"encoder\.proj_m\."),
        "It makes mel spectrograms, and needs a vocoder. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a HiFi-GAN vocoder",
        (r"(generator\.)?conv_pre\.", r"(generator\.)?ups\.\d+\.", r"(generator\.)?resblocks\.\d+\."),
        "It converts mel spectrograms into a waveform; a VITS voice has its own decoder.",
    ),
    UnsupportedModel(
        "the discriminators of a voice",
        (r"discriminators\.\d+\.convs\.",),
        "They belong to a voice: give the file of the voice, and this one with `discriminator=` (`--discriminator`).",
        absent=r"(?!discriminators\.)",  # any other name
    ),
)
"""The first one that fits applies, so special models come before general ones."""


def refusal(names: Iterable[str]) -> str | None:
    """Return what a file with these names holds and why it cannot be converted; `None` if it is none of these."""
    names = list(names)
    found = next((model for model in UNSUPPORTED if model.fits(names)), None)
    return found and f"It holds {found.name}, which cannot be converted. {found.why}"


FIRST, SECOND = "text-to-latents.onnx", "decode-window.onnx"
"""The two graphs that stream in onnxruntime."""

EXPORTED = {"sherpa-onnx": ("model.onnx", "tokens.txt"), "streaming in onnxruntime": (FIRST, SECOND)}
"""Files of an exported folder, by the runtime that reads them."""


def exported_for(path: Path) -> str | None:
    """Return the runtime that a folder, or a file in it, was exported for; `None` if it is not an export."""
    folder = path if path.is_dir() else path.parent
    for runtime, files in EXPORTED.items():
        is_piper = any((folder / f"{name}.json").exists() for name in files)
        if (path == folder or path.name in files) and all((folder / name).exists() for name in files) and not is_piper:
            return runtime
    return None
