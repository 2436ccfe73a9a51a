"""Load the model and the tokenizer, generate a fraction of a second, and conclude what the model can be used for."""

from collections.abc import Sequence

import torch

from hf_vits.configuration_vits import EXTENDED_MODEL_TYPE
from hf_vits.doctor.diagnostics import ERROR, Diagnostic, error, warning
from hf_vits.doctor.model_folder import ModelFolder
from hf_vits.inference.limits import NotFiniteError
from hf_vits.modeling_vits import VitsModel
from hf_vits.text.vocabulary import EXTENDED_CLASS
from hf_vits.tokenization_vits import VitsTokenizer

TRANSFORMERS_FAILS = {
    "weights.norm_folded": "it would initialize layers anew",
    "weights.norm_outside_wavenet": "it would initialize layers anew",
    "config.extended_as_vits": "it would build other layers",
    "config.rejected_by_transformers": "it rejects the configuration",
}
"""Diagnostics with which transformers does not generate the same speech."""

MAX_FRAMES = 200
"""Frames that are decoded; five tokens of a trained model are a fraction of a second."""

OTHER_CHECKPOINT = "Use another checkpoint."


def generate(folder: ModelFolder) -> tuple[str, list[Diagnostic]]:
    """Generate speech of a few token ids; return a description of the result, empty if it failed, and diagnostics."""
    try:
        frames, waveform = _generate(folder)
    except NotFiniteError:
        return "", [error("smoke_test.not_finite", "The output holds NaN or infinity.", OTHER_CHECKPOINT)]
    except Exception as problem:  # whatever it is, everybody who loads the model would meet it
        advice = "Correct what it says; if nothing else is reported here, open an issue."
        return "", [error("smoke_test.model", f"Loading the model and generating fails: {_reason(problem)}", advice)]
    diagnostics = []
    if not waveform.any():
        diagnostics.append(warning("smoke_test.silent", "The output is silence.", OTHER_CHECKPOINT))
    if frames > MAX_FRAMES:
        message = f"Five tokens become {frames} frames, of which {MAX_FRAMES} were decoded; was the model trained?"
        diagnostics.append(warning("smoke_test.too_long", message, OTHER_CHECKPOINT))
    return f"five ids became {waveform.shape[-1]:,} samples", diagnostics


@torch.no_grad()
def _generate(folder: ModelFolder) -> tuple[int, torch.Tensor]:
    """Return the number of predicted frames and the waveform (1, 1, T_wav) of the first of them."""
    model = VitsModel.from_pretrained(folder.path).float().eval()
    ids = torch.tensor([[index % model.config.vocab_size for index in (0, 1, 0, 2, 0)]])
    speaker = model.speaker_vector(0 if model.config.num_speakers > 1 else None, 1)
    language = model.language_vector(0 if model.config.num_languages > 1 else None, 1)
    prior = model.prior(ids, speaker=speaker, language=language, generator=torch.Generator().manual_seed(0))
    sample = prior.sample[..., :MAX_FRAMES]
    latents = model.flow.inverse(sample, torch.ones_like(sample[:, :1]), speaker)
    return prior.sample.shape[-1], model.decode(latents, speaker=speaker)


def load_tokenizer(folder: ModelFolder) -> list[Diagnostic]:
    """Load the tokenizer; return what keeps it from loading."""
    try:
        VitsTokenizer.from_pretrained(folder.path)
    except Exception as problem:  # as above
        message = f"The tokenizer cannot be loaded: {_reason(problem)}"
        return [error("smoke_test.tokenizer", message, "Copy its files from the base model.")]
    return []


def _reason(problem: Exception) -> str:
    return (str(problem).strip() or type(problem).__name__)[:500]


def possible_uses(folder: ModelFolder, output: str, diagnostics: Sequence[Diagnostic]) -> dict[str, str]:
    """Return for each use of the model: yes or no, the reason, and how that is known."""
    errors = [diagnostic.id for diagnostic in diagnostics if diagnostic.severity == ERROR]
    if errors:
        tested = "tested" if all(id.startswith("smoke_test.") for id in errors) else "not tested"
        reason = f"{tested}: {len(errors)} error{'s' if len(errors) > 1 else ''}"
        trainable = errors == ["discriminator.in_model_file"]
        return {
            "synthesis": f"no ({reason})",
            "synthesis in transformers": f"unknown ({reason})",
            "training": "yes, as it is (inferred from its parts, not tested)" if trainable else f"no ({reason})",
        }
    has_text = folder.vocabulary.table is not None
    return {
        "synthesis": f"{'yes' if has_text else 'from ids only, not from text'} (tested: {output})",
        "synthesis in transformers": _in_transformers(folder, {diagnostic.id for diagnostic in diagnostics}),
        "training": _training(folder),
    }


def _in_transformers(folder: ModelFolder, ids: set[str]) -> str:
    reasons = [reason for id, reason in TRANSFORMERS_FAILS.items() if id in ids]
    if folder.raw.get("model_type") == EXTENDED_MODEL_TYPE:
        reasons.append(f"its model_type is {EXTENDED_MODEL_TYPE!r}")
    if "config.no_model_type" in ids:
        reasons.append("its config.json has no model_type")
    if reasons:
        return f"no ({', '.join(dict.fromkeys(reasons))}; inferred, not tested)"
    kind = (folder.tokenizer_file.table or {}).get("tokenizer_class")
    if kind == EXTENDED_CLASS or "tokenizer.transformers_phonemes" in ids:
        return "from ids only, not from text (transformers lacks its tokenizer; inferred, not tested)"
    return "yes (inferred, not tested)"


def _training(folder: ModelFolder) -> str:
    config, discriminators, new = folder.config, folder.discriminators, []
    if config is not None and config.num_languages > 1:
        return f"no (it has {config.num_languages} languages, and recordings do not name theirs)"
    if config is not None and config.inference_only:
        new.append("modules for training")
    if discriminators is None:
        new.append("discriminators")
    if new:
        return f"yes, with newly initialized {' and '.join(new)}, trained first (inferred from its parts, not tested)"
    how = "at once" if discriminators.where == "folder" else "with `discriminator_name_or_path` set to this folder"
    return f"yes, {how} (inferred from its parts, not tested)"
