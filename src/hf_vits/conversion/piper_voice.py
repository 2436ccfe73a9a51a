"""What every file of a Piper voice shares, exported or not: what its JSON adds to the weights, and its front end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.description import described
from hf_vits.conversion.piper_json import BOS, EOS, PAD, PiperVoice
from hf_vits.tokenization_vits import VitsTokenizer


def config_fields(voice: PiperVoice) -> dict[str, Any]:
    """Fields of [`VitsConfig`] that the JSON tells."""
    return {
        "blank_id": voice.symbols.get(PAD, 0),
        "sampling_rate": voice.sampling_rate,
        "speaker_names": voice.speaker_names,
        "noise_scale": voice.noise_scale,
        "noise_scale_duration": voice.noise_w,
        "speaking_rate": 1 / voice.length_scale,
    }


def check_agreement(voice: PiperVoice, config: VitsConfig, path: Path) -> None:
    """Raises `ValueError` if the JSON and the weights contradict each other."""
    said_and_built = (
        ("num_speakers", voice.num_speakers, config.num_speakers),
        ("num_symbols", voice.num_symbols, config.vocab_size),
        ("hop_length", voice.hop_length, config.hop_length),
    )
    for name, said, built in said_and_built:
        if said not in (None, built):
            raise ValueError(
                f"The JSON file says `{name}` is {said}, but {path} was built with {built}. Do they belong together?"
            )
    highest = max(voice.symbols.values())
    if highest >= config.vocab_size:
        raise ValueError(
            f"The JSON file has symbol id {highest}, but {path} knows ids 0 to {config.vocab_size - 1}. Do they belong "
            "together?"
        )


def what(voice: PiperVoice, config: VitsConfig, state_dict: Mapping[str, Tensor]) -> str:
    """What kind of voice this is."""
    front_end = "letters" if voice.phoneme_type == "text" else f"eSpeak's phonemes for {voice.espeak_voice}"
    return described("A Piper voice", config, state_dict, f"{len(voice.symbols)} symbols ({front_end})")


def tokenizer(voice: PiperVoice) -> VitsTokenizer:
    """The front end that Piper's runtimes have."""
    pad, bos, eos = (symbol if symbol in voice.symbols else None for symbol in (PAD, BOS, EOS))
    return VitsTokenizer.of_symbols(
        voice.symbols,
        pad_token=PAD,
        bos_token=bos,
        eos_token=eos,
        blank_token=pad,
        add_blank=pad is not None,
        normalize=False,  # Piper hands the text to espeak as it is
        phonemize=voice.phoneme_type == "espeak",
        phoneme_language=voice.espeak_voice,
        phoneme_style="piper",
        unicode_form="NFD",
    )
