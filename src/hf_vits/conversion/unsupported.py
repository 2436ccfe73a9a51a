"""Models that are taken for VITS voices of a known format and are not: told by their tensors' names, and why not."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class UnsupportedModel:
    """
    A model whose names of tensors, from their beginning, match all of `patterns` and not `absent`; `why` says why it is
    refused.
    """

    name: str
    patterns: tuple[str, ...]
    why: str
    absent: str = r"\b\B"  # matches nothing

    def fits(self, names: Collection[str]) -> bool:
        """Whether names of tensors are those of such a model."""
        present = all(any(re.match(pattern, name) for name in names) for pattern in self.patterns)
        return present and not any(re.match(self.absent, name) for name in names)


ANOTHER_PROGRAM = "Speak with the program that it was trained with."

NEIGHBOURS = (
    UnsupportedModel(
        "a VITS voice of ESPnet",
        (r"(tts\.)?generator\.text_encoder\.encoder\.encoders\.\d+\.",),
        "Its layers are other ones under the same name: the text encoder is a transformer or conformer that normalises "
        "before each layer and has other relative positions, every layer of a WaveNet has a speaker's convolution of "
        "its own and the last one a residual output, the decoder's last convolution has a bias. Speak with ESPnet "
        "itself, or train a voice here on the recordings (`examples/train.py`), which starts from any voice of the "
        "language.",
    ),
    UnsupportedModel(
        "a voice conversion model of RVC",
        (r"enc_p\.emb_phone\.",),
        "It turns speech into speech: its encoder takes features of a recording and their pitch, and there are no "
        "symbols of a text in it.",
    ),
    UnsupportedModel(
        "a voice conversion model of so-vits-svc",
        (r"enc_p\.f0_emb\.",),
        "It turns speech into speech: its encoder takes features of a recording and their pitch, and there are no "
        "symbols of a text in it.",
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
        "a VITS2 voice",
        (r"(model_g\.)?flow\.flows\.\d+\.pre_transformer\.",),
        "Each coupling of its flow has a transformer, which VITS has not. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a model of Matcha-TTS or Grad-TTS",
        (r"decoder\.estimator\.", r"encoder\.proj_m\."),
        "It makes mel spectrograms, by flow matching or diffusion, and needs a vocoder. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a StyleTTS 2 model",
        (r"net\.style_encoder\.", r"net\.bert_encoder\."),
        "It speaks by style vectors, a BERT and diffusion, and has none of VITS's parts. " + ANOTHER_PROGRAM,
    ),
    UnsupportedModel(
        "a tone converter of OpenVoice",
        (r"ref_enc\.convs\.", r"enc_q\.pre\.", r"dec\.conv_pre\."),
        "It turns speech into speech: it has no text encoder.",
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
        "It turns mel spectrograms into a waveform; a VITS voice has such a decoder of its own.",
    ),
    UnsupportedModel(
        "the discriminators of a voice",
        (r"discriminators\.\d+\.convs\.",),
        "They go with the voice: give its own file, and this one with `discriminator=` (`--discriminator`).",
        absent=r"(?!discriminators\.)",  # any other name
    ),
)
"""The first one that fits is meant, so what is special comes before what is general."""


def refusal(names: Iterable[str]) -> str | None:
    """What a file with these names holds and why it cannot be converted; `None` if it is of none of these kinds."""
    names = list(names)
    found = next((neighbour for neighbour in NEIGHBOURS if neighbour.fits(names)), None)
    return found and f"It holds {found.name}, from which no voice can be made here. {found.why}"


FIRST, SECOND = "text-to-latents.onnx", "decode-window.onnx"
"""The two graphs that stream in onnxruntime."""

EXPORTED = {"sherpa-onnx": ("model.onnx", "tokens.txt"), "streaming in onnxruntime": (FIRST, SECOND)}
"""Files of a folder, by the runtime that reads them."""


def exported_for(path: Path) -> str | None:
    """The runtime for which a folder was exported, or a file beside those that belong to it; `None` if for none."""
    folder = path if path.is_dir() else path.parent
    for runtime, files in EXPORTED.items():
        described = any((folder / f"{name}.json").exists() for name in files)  # as a voice of Piper's is
        if (path == folder or path.name in files) and all((folder / name).exists() for name in files) and not described:
            return runtime
    return None
