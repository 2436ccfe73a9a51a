"""Numbers of the signal: rates, hops and windows, in config.json and in the files beside it."""

from collections.abc import Iterator
from typing import Any

from hf_vits.doctor.commands import json_changed
from hf_vits.doctor.finding import Finding, error, note, warning
from hf_vits.doctor.folder import Folder
from hf_vits.doctor.json_files import read_json
from hf_vits.wording import quoted

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

FEATURES = "preprocessor_config.json"


def check_signal(folder: Folder) -> Iterator[Finding]:
    """Sampling rate, STFT against hop, and the feature extractor's file."""
    config = folder.believed
    if config is None:
        return
    if config.sampling_rate not in RATES:
        text = f"`sampling_rate` is {config.sampling_rate}; usual are {', '.join(map(str, RATES))}."
        yield warning(
            "signal.sampling_rate", text, "Set it to that of the recordings; else the voice is too high or too low."
        )
    if config.fft_size < config.hop_length:
        text = (
            f"`spectrogram_bins` {config.spectrogram_bins} make an FFT of {config.fft_size} samples, shorter than the "
            f"hop of {config.hop_length} that `upsample_rates` multiply to: training would not see what lies between."
        )
        yield warning("signal.fft_below_hop", text, "Check both; usual is an FFT of four hops.")
    yield from _features(folder, config)
    if "layerdrop" in folder.raw and folder.raw["layerdrop"]:
        text = (
            f"`layerdrop` is {quoted(folder.raw['layerdrop'])}: stock transformers' default is 0.1, the paper has "
            "none. hf_vits never applies it; other trainers skip whole layers with it."
        )
        yield note(
            "signal.layerdrop",
            text,
            "Set it to 0 to train elsewhere.",
            json_changed(folder.path / "config.json", layerdrop=0.0),
        )


def _features(folder: Folder, config) -> Iterator[Finding]:
    found = read_json(folder.path / FEATURES)
    if found.problem:
        yield error("signal.features_damaged", f"{found.problem}.", "Remove it, or fetch it again.")
    table: dict[str, Any] = found.table or {}
    ours = {"sampling_rate": config.sampling_rate, "hop_length": config.hop_length, "n_fft": config.fft_size}
    differs = {name: value for name, value in ours.items() if name in table and table[name] != value}
    if differs:
        words = "; ".join(f"`{name}` {quoted(table[name])} against {value}" for name, value in differs.items())
        text = f"{FEATURES} and config.json differ: {words}. Trained with the one, the voice speaks with the other."
        command = json_changed(folder.path / FEATURES, **differs)
        yield warning("signal.features", text, "Find out which is right. If config.json is:", command, config=differs)
