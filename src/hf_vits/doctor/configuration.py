"""config.json: whether it can be read, which of its fields can be used, and whether they make a model together."""

import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from transformers import PreTrainedConfig

from hf_vits.configuration_vits import EXTENDED_MODEL_TYPE, VitsConfig
from hf_vits.conversion.discriminators import FINE_TUNER
from hf_vits.doctor.expected_shapes import CANNOT_BE, expected_layers
from hf_vits.doctor.findings import Diagnostic, error, note, warning
from hf_vits.doctor.fixes import json_changed, saved_again
from hf_vits.doctor.readers import read_json
from hf_vits.doctor.voice_folder import Folder
from hf_vits.utils.config_validation import CHECKS
from hf_vits.utils.formatting import listed, quoted
from hf_vits.utils.model_size import MOST_REACH

OURS = {field.name for field in fields(VitsConfig)} - {field.name for field in fields(PreTrainedConfig)} | {
    "pad_token_id"
}

FINE_TUNERS = {*FINE_TUNER, "segment_size", "hop_length"}

ELSEWHERE = {"model_type", "_name_or_path", "name_or_path", "torch_dtype", "auto_map", "attn_implementation"}
"""Fields that transformers reads or writes and no class declares."""

OLD_COMMON = (
    "_attn_implementation tie_word_embeddings use_cache is_decoder add_cross_attention tokenizer_class prefix "
    "bos_token_id eos_token_id sep_token_id decoder_start_token_id task_specific_params torchscript pruned_heads "
    "use_bfloat16 tf_legacy_loss finetuning_task cross_attention_hidden_size tie_encoder_decoder custom_pipelines"
)
"""Fields of every model in the files of earlier transformers."""


MOST_UNKNOWN = 30
"""Fields that are looked at one by one."""


def usable(raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The fields of ours in a config.json that can be used each for itself, and why the others cannot."""
    probe, good, bad = VitsConfig(), {}, {}
    for name in [name for name in raw if name in OURS]:
        try:
            setattr(probe, name, raw[name])
            _check_lists(name, raw[name])
        except CANNOT_BE as problem:
            bad[name] = str(problem.__cause__ or problem).strip().splitlines()[-1].strip()[:200]
        else:
            good[name] = raw[name]
    return good, bad


def configured(raw: dict[str, Any], good: dict[str, Any], bad: dict[str, str]) -> VitsConfig | None:
    """The configuration that the file is, if a model can have it."""
    if bad:
        return None
    try:
        return VitsConfig(**good)
    except CANNOT_BE:
        return None


def check_fields(folder: Folder) -> Iterator[Diagnostic]:
    """Types, values that no model can have, and fields that nobody reads."""
    file = folder.path / "config.json"
    for name, why in folder.bad_fields.items():
        text = f"`{name}` in config.json cannot be used: {why}."
        told = folder.told.get(name)
        mend = (
            f"Set it to {quoted(told)}, which the weights say."
            if told is not None
            else "Set it as the voice was trained."
        )
        command = None if told is None else json_changed(file, **{name: told})
        yield error("config.type", text, mend, command, field=name, value=quoted(folder.raw[name]), weights=told)
    yield from _impossible(folder)
    known = {*OURS, *FINE_TUNERS, *ELSEWHERE, *PreTrainedConfig().to_dict(), *OLD_COMMON.split()}
    known |= {field.name for field in fields(PreTrainedConfig)}
    yield from _unread(folder, sorted(folder.raw.keys() - known))


def _unread(folder: Folder, names: list[str]) -> Iterator[Diagnostic]:
    file = folder.path / "config.json"
    if len(names) > MOST_UNKNOWN:
        named = listed([quoted(name) for name in names])
        yield note("config.unknown_field", f"config.json has fields that nobody reads ({len(names)}): {named}.")
        return
    for name in names:
        if near := difflib.get_close_matches(name, sorted(OURS - folder.raw.keys()), n=1, cutoff=0.85):
            text = f"config.json has a field {quoted(name)}, which nobody reads, and lacks `{near[0]}`."
            mend, command = f"Rename it to `{near[0]}`.", None
            if (value := folder.raw[name]) is not None and name.isidentifier():
                command = json_changed(file, without=(name,), **{near[0]: value})
            yield warning("config.misspelt_field", text, mend, command, field=name, meant=near[0])
        else:
            yield note(
                "config.unknown_field", f"config.json has a field {quoted(name)}, which nobody reads.", field=name
            )


def check_kind(folder: Folder) -> Iterator[Diagnostic]:
    """`model_type`, by which Auto classes find the class to load the voice with."""
    config, kind, file = folder.config, folder.raw.get("model_type"), folder.path / "config.json"
    if not folder.has_config:
        return
    if kind is None:
        text = "config.json has no `model_type`; Auto classes cannot tell what it is."
        yield warning("config.no_model_type", text, "Save the voice again.", saved_again(folder.path))
    elif kind not in ("vits", EXTENDED_MODEL_TYPE):
        text = (
            f"`model_type` in config.json is {quoted(kind)}; that of a VITS voice is 'vits' or '{EXTENDED_MODEL_TYPE}'."
        )
        yield error(
            "config.model_type",
            text,
            "If it is one, correct it.",
            json_changed(file, model_type="vits"),
            value=quoted(kind),
        )
    elif config is not None and kind == "vits" and (extensions := _extensions(config)):
        text = (
            "`model_type` is 'vits', but stock transformers would build other layers than the configuration asks for "
            f"({extensions}), and speak noise."
        )
        yield warning("config.extended_as_vits", text, "Save the voice again.", saved_again(folder.path))
    elif config is not None and kind == "vits" and config.inference_only:
        text = (
            "`model_type` is 'vits' and the configuration says `inference_only`, which stock transformers does not "
            "know: it speaks, but starts anew what the voice lacks, as if that had been trained."
        )
        yield warning("config.inference_only_as_vits", text, "Save the voice again.", saved_again(folder.path))
    elif config is not None and not config.needs_extension and kind == EXTENDED_MODEL_TYPE:
        text = f"`model_type` is '{kind}', which stock transformers refuses, but nothing in the configuration needs it."
        yield warning("config.plain_as_extended", text, "Save the voice again.", saved_again(folder.path))


def check_classes(folder: Folder) -> Iterator[Diagnostic]:
    """`architectures`, by which the stock pipeline finds it."""
    if not folder.has_config:
        return
    classes = folder.raw.get("architectures")
    classes = [item for item in classes if isinstance(item, str)] if isinstance(classes, list) else []
    if "VitsModelForPreTraining" in classes:
        yield note(
            "config.fine_tuner", "The folder is of finetune-hf-vits, whose class VitsModelForPreTraining it names."
        )
    elif not {"VitsModel", "HfVitsModel"} & {*classes}:
        text = f"`architectures` names {listed(classes) or 'no class'}; a voice's is VitsModel."
        yield note("config.architectures", text, "Save the voice again.", saved_again(folder.path))


def _impossible(folder: Folder) -> Iterator[Diagnostic]:
    """Values that contradict each other, one finding for each part of the model."""
    if folder.bad_fields or not folder.has_config:
        return
    config = folder.config
    if config is not None and folder.fit is None and expected_layers(config) is None:
        yield error(
            "config.size",
            "The configuration asks for more layers, or larger ones, than any machine has memory for.",
            "Set its numbers as the voice was trained.",
        )
        return
    probe, hop = VitsConfig(), folder.raw.get("hop_length")
    for name, value in folder.good_fields.items():
        setattr(probe, name, value)
    for part, check in CHECKS.items():
        if part == "speakers" or part == "size" and folder.fit is not None:
            continue  # `speakers.py` says more of them; the sizes that the weights have are found to differ
        try:
            check(probe)
        except CANNOT_BE as problem:
            yield error(f"config.{part}", str(problem)[:500], "Correct config.json, or fetch it again.")
    rates = folder.good_fields.get("upsample_rates", probe.upsample_rates)
    if hop is not None and hop != probe.hop_length:
        text = f"`hop_length` is {quoted(hop)}, but `upsample_rates` {list(rates)} multiply to {probe.hop_length}."
        command = json_changed(folder.path / "config.json", without=("hop_length",))
        yield error("config.hop_length", text, "Remove it, as it follows from the rates.", command)


def _check_lists(name: str, value: Any) -> None:
    """What the types of the fields leave open, and what could not be counted."""
    if name == "resblock_dilation_sizes":
        for row in value:
            if not isinstance(row, list) or not all(type(number) is int for number in row):
                raise TypeError(f"`{name}` must be a list of lists of whole numbers, and holds {quoted(row)}")
            if max(row, default=0) > MOST_REACH:
                raise ValueError(f"`{name}` has a dilation of {quoted(max(row))}")
    if isinstance(value, list) and name != "speaker_names" and len(value) > 100:
        raise ValueError(f"`{name}` has {len(value)} entries")
    for number in [value, *(value if isinstance(value, list) else [])]:
        if type(number) is int and abs(number) > 2**40:
            raise ValueError(f"`{name}` is beyond all bounds")


def _extensions(config: VitsConfig) -> str:
    """The fields that stock transformers has no layers for; `inference_only` is told otherwise."""
    names = [name for name in config.beyond_upstream if name != "inference_only"]
    return ", ".join(f"{name} {getattr(config, name)!r}" for name in names)


RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

FEATURES = "preprocessor_config.json"


def check_signal(folder: Folder) -> Iterator[Diagnostic]:
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


def _features(folder: Folder, config) -> Iterator[Diagnostic]:
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


MOST_NAMED = 500


def check_speakers(folder: Folder) -> Iterator[Diagnostic]:
    """num_speakers, speaker_embedding_size and speaker_names, and whether they go together."""
    said = folder.good_fields
    told = folder.told if folder.fit is not None else {}
    count = told.get("num_speakers", said.get("num_speakers", 1))
    size = told.get("speaker_embedding_size", said.get("speaker_embedding_size", 0))
    if count > 1 and size < 1 or size < 0:
        text = f"`num_speakers` is {count} but `speaker_embedding_size` is {size}; several speakers need vectors."
        yield error("speakers.no_vectors", text, "Set both as the voice was trained.", speakers=count, size=size)
    names = said.get("speaker_names")
    if names is None:
        if count > 1:
            text = f"The {count} speakers have no names, and are called by number."
            mend = "Name them as `speaker_names`, in the order of their ids."
            yield note("speakers.unnamed", text, mend, _named(folder, [], count))
        return
    yield from _names(folder, list(names), count)


def _names(folder: Folder, names: list[str], count: int) -> Iterator[Diagnostic]:
    command = _named(folder, names, count)
    if len(names) != count:
        text = (
            f"`speaker_names` has {len(names)} names for {count} speakers; each needs one, in the order of their ids."
        )
        yield error("speakers.names_count", text, "Correct the names.", command, names=len(names), speakers=count)
    repeated = sorted(name for name, times in Counter(names).items() if times > 1 and name.strip())
    if repeated:
        text = f"`speaker_names` has {quoted(repeated)} more than once; names must differ."
        yield error("speakers.names_repeated", text, "Rename one of each.", command, names=repeated)
    if empty := [place for place, name in enumerate(names) if not name.strip()]:
        text = f"The speakers {quoted(empty)} have empty names."
        yield error("speakers.names_empty", text, "Name them.", command, ids=empty)


def _named(folder: Folder, names: list[str], count: int) -> str | None:
    """The command that gives each speaker a name of its own; none for more than fit into a line."""
    if count > MOST_NAMED:
        return None
    names = _distinct([*names[:count], *[""] * (count - len(names))])
    return json_changed(folder.path / "config.json", speaker_names=names)


def _distinct(names: list[str]) -> list[str]:
    """The names with a number where one is empty or was there before."""
    result: list[str] = []
    for place, name in enumerate(names):
        name = name.strip() or f"speaker {place}"
        result.append(f"{name} {place}" if name in result else name)
    return result
