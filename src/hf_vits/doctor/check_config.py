"""Checks of config.json: its fields one by one, whether they make a model together, its signal and its speakers."""

import difflib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from transformers import PreTrainedConfig
from transformers import VitsConfig as TransformersVitsConfig
from transformers import __version__ as transformers_version

from hf_vits.configuration_vits import EXTENDED_MODEL_TYPE, VitsConfig
from hf_vits.conversion.discriminators import FINE_TUNER
from hf_vits.conversion.schema import inspect_json
from hf_vits.conversion.shape_inference import undetermined_fields
from hf_vits.doctor.diagnostics import Diagnostic, error, note, warning
from hf_vits.doctor.fixes import EditJson, convert_command
from hf_vits.doctor.model_folder import OUR_FIELDS, ModelFolder
from hf_vits.doctor.shape_match import INVALID, expected_shapes
from hf_vits.hub.model_files import CONFIG, config_above
from hf_vits.utils.config_validation import CHECKS
from hf_vits.utils.formatting import listed, quoted

FEATURE_EXTRACTOR = "preprocessor_config.json"

UNDECLARED_FIELDS = {"model_type", "_name_or_path", "name_or_path", "torch_dtype", "auto_map", "attn_implementation"}
"""Fields that transformers reads or writes and no class declares."""

EARLIER_FIELDS = (
    "_attn_implementation tie_word_embeddings use_cache is_decoder add_cross_attention tokenizer_class prefix "
    "bos_token_id eos_token_id sep_token_id decoder_start_token_id task_specific_params torchscript pruned_heads "
    "use_bfloat16 tf_legacy_loss finetuning_task cross_attention_hidden_size tie_encoder_decoder custom_pipelines"
)
"""Fields of every model in the files of earlier transformers."""

MAX_UNKNOWN_FIELDS = 30
"""Unknown fields that get a diagnostic each; more of them share one."""

MAX_SPEAKERS = 10_000
"""More than any model has; a damaged file may claim billions."""

SAMPLING_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def check_file(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check that config.json is there and can be read."""
    if folder.has_config:
        return
    problem, above = folder.config_file.problem, config_above(folder.path)
    fault = (problem or "There is no config.json").removesuffix("; fetch it again")
    message = f"{fault}. No model can be built without it."
    advice = "Copy that of the training run or of the base model into the folder, or download it again."
    if above:
        advice = f"The folder is a checkpoint of a training run, whose configuration is {above}: convert both."
    elif folder.layers.shapes:
        advice += f" The weights do not determine {listed(undetermined_fields(folder.layers.shapes))}."
    command, id = convert_command(folder.path) if above else None, "config.damaged" if problem else "config.missing"
    yield error(id, message, advice, command=command, weights=folder.inferred)


def check_fields(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check types, values that no model can have, and fields that nothing reads."""
    for name, reason in folder.invalid_fields.items():
        message = f"`{name}` in config.json cannot be used: {reason}."
        details = {"field": name, "value": quoted(folder.raw[name]), "weights": folder.inferred.get(name)}
        if name in folder.inferred:
            fix = EditJson(CONFIG, {name: folder.inferred[name]})
            yield error("config.invalid_type", message, "Use the value that the weights have.", fix=fix, **details)
        else:
            yield error("config.invalid_type", message, "Set it as the model was trained.", **details)
    if folder.has_config and not folder.invalid_fields:
        yield from _combinations(folder)
    known = {*OUR_FIELDS, *FINE_TUNER, "segment_size", "hop_length"}
    known |= {*UNDECLARED_FIELDS, *PreTrainedConfig().to_dict(), *EARLIER_FIELDS.split()}
    known |= {field.name for field in fields(PreTrainedConfig)}
    yield from _unknown_fields(folder, sorted(folder.raw.keys() - known))


def _combinations(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Report values that contradict each other, one diagnostic for each part of the model."""
    if folder.config is not None and folder.match is None and expected_shapes(folder.config) is None:
        message = "The configuration asks for more layers, or larger ones, than any machine has memory for."
        yield error("config.too_large", message, "Set its numbers as the model was trained.")
        return
    probe, hop = VitsConfig(), folder.raw.get("hop_length")
    for name, value in folder.valid_fields.items():
        setattr(probe, name, value)
    try:
        hop_length = probe.hop_length
    except INVALID as problem:  # the other checks would repeat it
        yield error("config.invalid_decoder", str(problem)[:500], "Correct config.json, or download it again.")
        return
    for part, check in CHECKS.items():
        if part == "speakers" or part == "size" and folder.match is not None:
            continue  # `check_speakers` says more; sizes that contradict the weights are reported by `check_weights`
        try:
            check(probe)
        except INVALID as problem:
            id = "config.too_large" if part == "size" else f"config.invalid_{part}"
            yield error(id, str(problem)[:500], "Correct config.json, or download it again.")
    if hop is not None and hop != hop_length:
        message = f"`hop_length` is {quoted(hop)}, but the decoder has {hop_length} samples per frame."
        fix = EditJson(CONFIG, remove=("hop_length",))
        yield error("config.hop_length", message, "Remove it, as it follows from the decoder.", fix=fix)


def _unknown_fields(folder: ModelFolder, names: list[str]) -> Iterator[Diagnostic]:
    if len(names) > MAX_UNKNOWN_FIELDS:
        shown = listed([quoted(name) for name in names])
        yield note("config.unknown_field", f"config.json has {len(names)} fields that nothing reads: {shown}.")
        return
    for name in names:
        message = f"config.json has a field {quoted(name)}, which nothing reads"
        if near := difflib.get_close_matches(name, sorted(OUR_FIELDS - folder.raw.keys()), n=1, cutoff=0.85):
            known, value = near[0], folder.raw[name]
            fix = None if value is None else EditJson(CONFIG, {known: value}, remove=(name,))
            message += f", and lacks `{known}`."
            details = {"field": name, "meant": known}
            yield warning("config.misspelled_field", message, f"Rename it to `{known}`.", fix=fix, **details)
        else:
            yield note("config.unknown_field", f"{message}.", field=name)


def check_model_type(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check `model_type`, by which Auto classes find the class to load the model with."""
    if not folder.has_config:
        return
    config, kind, effective = folder.config, folder.raw.get("model_type"), folder.effective_config
    right = EXTENDED_MODEL_TYPE if effective is not None and effective.needs_extension else "vits"
    advice, fix = f"Set it to '{right}'.", EditJson(CONFIG, {"model_type": right})
    if kind is None:
        message = "config.json has no `model_type`, so Auto classes cannot choose a class."
        yield warning("config.no_model_type", message, advice, fix=fix)
    elif kind not in ("vits", EXTENDED_MODEL_TYPE):
        message = f"`model_type` in config.json is {quoted(kind)}; a VITS model's is 'vits' or '{EXTENDED_MODEL_TYPE}'."
        is_vits = folder.match is not None and not folder.match.mismatches
        fix = replace(fix, automatic=is_vits)
        yield error("config.model_type", message, f"If it is a VITS model: {advice}", fix=fix, value=quoted(kind))
    elif config is None or kind == right:
        return
    elif kind == EXTENDED_MODEL_TYPE:
        message = f"`model_type` is '{kind}', which transformers rejects, but nothing in the configuration needs it."
        yield warning("config.plain_as_extended", message, advice, fix=fix)
    elif extensions := [name for name in config.beyond_upstream if name != "inference_only"]:
        values = ", ".join(f"{name} {getattr(config, name)!r}" for name in extensions)
        message = (
            f"`model_type` is 'vits', but transformers would build other layers than the configuration asks for "
            f"({values}), and its output would be noise."
        )
        yield warning("config.extended_as_vits", message, advice, fix=fix)
    else:
        message = (
            "`model_type` is 'vits' and the configuration sets `inference_only`, which transformers does not know: it "
            "generates speech, but initializes the missing parameters as if they had been trained."
        )
        yield warning("config.inference_only_as_vits", message, advice, fix=fix)


def check_architectures(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check `architectures`, by which the pipeline of transformers finds the class."""
    if not folder.has_config:
        return
    classes = folder.raw.get("architectures")
    classes = [item for item in classes if isinstance(item, str)] if isinstance(classes, list) else []
    if "VitsModelForPreTraining" in classes:
        yield note("config.finetune_hf_vits", "The folder was written by finetune-hf-vits (VitsModelForPreTraining).")
    elif not {"VitsModel", "HfVitsModel"} & {*classes}:
        message = f"`architectures` names {listed(classes) or 'no class'}; a VITS model's is VitsModel."
        fix = EditJson(CONFIG, {"architectures": ["VitsModel"]}, automatic=False)
        yield note("config.architectures", message, "Name it.", fix=fix)


def check_transformers(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Ask the configuration class of transformers whether it accepts the file."""
    config = folder.config
    if config is None or config.needs_extension or folder.raw.get("model_type") == EXTENDED_MODEL_TYPE:
        return
    if reason := _rejection(folder.raw):
        ours = config.to_dict()
        changes = {name: ours[name] for name in OUR_FIELDS & folder.raw.keys() & ours.keys()}
        changes = {name: value for name, value in changes.items() if json.dumps(value) != json.dumps(folder.raw[name])}
        fix = None if _rejection({**folder.raw, **changes}) else EditJson(CONFIG, changes)
        message = f"transformers {transformers_version} rejects config.json: {reason}."
        yield warning("config.rejected_by_transformers", message, "Write it as transformers expects it.", fix=fix)


def _rejection(table: dict[str, Any]) -> str:
    try:
        TransformersVitsConfig.from_dict({**table, "model_type": "vits"})
    except INVALID as problem:
        return (str(problem).strip() or type(problem).__name__).splitlines()[-1].strip()[:300]
    return ""


def check_signal(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check the sampling rate, the STFT against the hop, and the feature extractor's file."""
    config = folder.effective_config if folder.has_config else None
    yield from _feature_extractor(folder, config)
    if config is None:
        return
    if config.sampling_rate not in SAMPLING_RATES:
        message = f"`sampling_rate` is {config.sampling_rate}; usual are {', '.join(map(str, SAMPLING_RATES))}."
        advice = "Set it to that of the recordings; otherwise the pitch is wrong."
        yield warning("signal.sampling_rate", message, advice)
    if config.fft_size < config.hop_length:
        message = (
            f"`spectrogram_bins` {config.spectrogram_bins} imply an FFT of {config.fft_size} samples, shorter than the "
            f"hop of {config.hop_length} of the decoder: training would skip the samples between."
        )
        yield warning("signal.fft_shorter_than_hop", message, "Check both; usual is an FFT of four hops.")
    if layerdrop := folder.raw.get("layerdrop"):
        message = (
            f"`layerdrop` is {quoted(layerdrop)}: the default of transformers is 0.1, the paper has none. hf_vits "
            "never applies it; other trainers skip whole layers with it."
        )
        fix = EditJson(CONFIG, {"layerdrop": 0.0}, automatic=False)
        yield note("signal.layerdrop", message, "Set it to 0 to train elsewhere.", fix=fix)


def _feature_extractor(folder: ModelFolder, config: VitsConfig | None) -> Iterator[Diagnostic]:
    file = inspect_json(folder.path / FEATURE_EXTRACTOR)
    if file.problem:
        yield error("signal.feature_extractor_damaged", f"{file.problem}.", "Remove it, or download it again.")
    if config is None:
        return
    table: dict[str, Any] = file.table or {}
    ours = {"sampling_rate": config.sampling_rate, "hop_length": config.hop_length, "n_fft": config.fft_size}
    differs = {name: value for name, value in ours.items() if name in table and table[name] != value}
    if differs:
        values = "; ".join(f"`{name}` {quoted(table[name])} and {value}" for name, value in differs.items())
        message = f"{FEATURE_EXTRACTOR} and config.json differ: {values}. Training with one would not match the other."
        fix = EditJson(FEATURE_EXTRACTOR, differs, automatic=False)
        advice = "Find out which is right; the fix takes config.json's values."
        yield warning("signal.feature_extractor_mismatch", message, advice, fix=fix, config=differs)


def check_speakers(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check that `num_speakers`, `speaker_embedding_size` and `speaker_names` agree."""
    if not folder.has_config:
        return
    given = folder.valid_fields
    inferred = folder.inferred if folder.match is not None else {}
    count = inferred.get("num_speakers", given.get("num_speakers", 1))
    size = inferred.get("speaker_embedding_size", given.get("speaker_embedding_size", 0))
    if count > 1 and size < 1 or size < 0:
        message = f"`num_speakers` is {count} but `speaker_embedding_size` is {size}; several speakers need vectors."
        yield error("speakers.no_embedding", message, "Set both as the model was trained.", speakers=count, size=size)
    names = given.get("speaker_names")
    if names is not None:
        yield from _speaker_names(list(names), count)
    elif count > 1:
        message = f"The {count} speakers have no names, and are selected by number."
        advice = "Name them as `speaker_names`, in the order of their ids."
        yield note("speakers.unnamed", message, advice, fix=_rename_speakers([], count, automatic=False))


def _speaker_names(names: list[str], count: int) -> Iterator[Diagnostic]:
    fix = _rename_speakers(names, count)
    if len(names) != count:
        message = f"`speaker_names` has {len(names)} names for {count} speakers; each needs one, in the order of ids."
        yield error("speakers.names_count", message, "Correct the names.", fix=fix, names=len(names), speakers=count)
    if repeated := sorted(name for name, times in Counter(names).items() if times > 1 and name.strip()):
        message = f"`speaker_names` has {quoted(repeated)} more than once; names must differ."
        yield error("speakers.names_repeated", message, "Rename one of each.", fix=fix, names=repeated)
    if empty := [index for index, name in enumerate(names) if not name.strip()]:
        message = f"The speakers {quoted(empty)} have empty names."
        yield error("speakers.names_empty", message, "Name them.", fix=fix, ids=empty)


def _rename_speakers(names: list[str], count: int, automatic: bool = True) -> EditJson | None:
    """Number the names that are absent, empty or repeated; cutting names off is left to the user."""
    if count > MAX_SPEAKERS:
        return None
    unique: list[str] = []
    for index, name in enumerate([*names[:count], *[""] * (count - len(names))]):
        name = name.strip() or f"speaker {index}"
        unique.append(f"{name} {index}" if name in unique else name)
    return EditJson(CONFIG, {"speaker_names": unique}, automatic=automatic and len(names) <= count)
