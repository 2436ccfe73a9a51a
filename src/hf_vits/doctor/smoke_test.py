"""Whether the voice does what it is for: tried where it can be, judged by rules where that would cost more."""

from collections.abc import Sequence

import torch
from torch import Tensor

from hf_vits.configuration_vits import EXTENDED_MODEL_TYPE
from hf_vits.doctor.check_discriminator import Judges
from hf_vits.doctor.expected_shapes import CANNOT_BE
from hf_vits.doctor.findings import ERROR, Diagnostic, error, warning
from hf_vits.doctor.fixes import saved_again
from hf_vits.doctor.voice_folder import Folder
from hf_vits.modeling_utils import NotFiniteError
from hf_vits.modeling_vits import VitsModel
from hf_vits.text.vocabulary import EXTENDED_CLASS
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.logging import no_progress_bar

STOCK = {
    "weights.norm_folded": "layers would be started anew",
    "weights.norm_elsewhere": "layers would be started anew",
    "config.extended_as_vits": "it would build other layers",
    "config.stock_refuses": "it refuses the configuration",
}
"""Findings after which stock transformers does not speak as meant."""

MOST_FRAMES = 200
"""Frames that a trial decodes; five tokens are a fraction of a second."""


def check_stock_config(folder: Folder) -> list[Diagnostic]:
    """Asks the configuration class of stock transformers, which costs nothing."""
    from transformers import VitsConfig as StockConfig

    if folder.config is None or folder.config.needs_extension or folder.raw.get("model_type") == EXTENDED_MODEL_TYPE:
        return []
    try:
        StockConfig.from_dict({**folder.raw, "model_type": "vits"})
    except CANNOT_BE as problem:
        why = (str(problem).strip() or type(problem).__name__).splitlines()[-1].strip()[:300]
        text = f"Stock transformers {_version()} refuses config.json: {why}."
        return [warning("config.stock_refuses", text, "Save the voice again.", saved_again(folder.path))]
    return []


@torch.no_grad()
def speak(folder: Folder) -> tuple[str, list[Diagnostic]]:
    """Loads model and tokenizer and speaks a few ids: what was heard, and what kept it from that."""
    findings: list[Diagnostic] = []
    try:
        with no_progress_bar():
            model = VitsModel.from_pretrained(folder.path).float().eval()
        ids = torch.tensor([[index % model.config.vocab_size for index in (0, 1, 0, 2, 0)]])
        speaker = model.speaker_vector(0 if model.config.num_speakers > 1 else None, 1)
        language = model.language_vector(0 if model.config.num_languages > 1 else None, 1)
        prior = model.prior(ids, speaker=speaker, language=language, generator=torch.Generator().manual_seed(0))
        waveform = _spoken(model, prior.sample[..., :MOST_FRAMES], speaker)
    except NotFiniteError:
        return "", [
            error("trial.not_finite", "What the voice speaks holds NaN or infinity.", "Take another checkpoint.")
        ]
    except Exception as problem:  # whatever it is, it would meet everybody who loads the voice
        why = (str(problem).strip() or type(problem).__name__)[:500]
        return "", [
            error(
                "trial.model",
                f"Loaded and made to speak, the voice fails: {why}",
                "Mend what it says; if nothing else is found here, report it.",
            )
        ]
    frames = prior.sample.shape[-1]
    if not waveform.any():
        findings.append(warning("trial.silent", "What the voice speaks is silence.", "Take another checkpoint."))
    if frames > MOST_FRAMES:
        text = f"For five tokens the voice speaks {frames} frames; was it trained? {MOST_FRAMES} of them were decoded."
        findings.append(warning("trial.long", text, "Take another checkpoint."))
    return f"five ids became {waveform.shape[-1]:,} samples", findings


def _spoken(model: VitsModel, sample: Tensor, speaker: Tensor | None) -> Tensor:
    """The prior's sample (1, C, T_spec), cut short -> waveform (1, 1, T_wav)."""
    latents = model.flow.inverse(sample, torch.ones_like(sample[:, :1]), speaker)
    return model.decode(latents, speaker=speaker)


def load_tokenizer(folder: Folder) -> list[Diagnostic]:
    """Loads the tokenizer, where nothing else was found to be wrong with it."""
    try:
        VitsTokenizer.from_pretrained(folder.path)
    except Exception as problem:  # as above
        why = (str(problem).strip() or type(problem).__name__)[:500]
        return [
            error("trial.tokenizer", f"The tokenizer cannot be loaded: {why}", "Copy its files from the base voice.")
        ]
    return []


def verdict(folder: Folder, judges: Judges | None, heard: str, findings: Sequence[Diagnostic]) -> dict[str, str]:
    """For each use: yes or no, why, and how that is known."""
    errors = [found.id for found in findings if found.severity == ERROR]
    if errors:
        tried = "tried, with" if all(id.startswith("trial.") for id in errors) else "not tried, for"
        why = f"{tried} {len(errors)} error{'s' if len(errors) > 1 else ''}"
        return {
            "speaks here": f"no ({why})",
            "speaks in stock transformers": f"not judged ({why})",
            "can be trained": "yes, as it is (by its parts, not tried)"
            if errors == ["judges.inside"]
            else f"no ({why})",
        }
    has_text = folder.vocabulary.table is not None
    return {
        "speaks here": f"{'yes' if has_text else 'ids yes, texts no'} (tried: {heard})",
        "speaks in stock transformers": _stock(folder, {found.id for found in findings}),
        "can be trained": _trained(folder, judges),
    }


def _stock(folder: Folder, ids: set[str]) -> str:
    reasons = [why for id, why in STOCK.items() if id in ids]
    if folder.raw.get("model_type") == EXTENDED_MODEL_TYPE:
        reasons.append(f"its model_type is {EXTENDED_MODEL_TYPE!r}")
    if "config.no_model_type" in ids:
        reasons.append("its config.json has no model_type")
    if reasons:
        return f"no ({', '.join(dict.fromkeys(reasons))}; judged by rules, not tried)"
    kind = (folder.tokenizer.table or {}).get("tokenizer_class")
    if kind == EXTENDED_CLASS or "tokenizer.stock_phonemes" in ids:
        return "ids yes, texts no (its tokenizer is not in stock transformers; judged by rules, not tried)"
    return "yes (judged by rules, not tried)"


def _trained(folder: Folder, judges: Judges | None) -> str:
    parts = []
    if folder.config is not None and folder.config.num_languages > 1:
        return f"no (it speaks {folder.config.num_languages} languages, and clips do not tell in which they are)"
    if folder.config is not None and folder.config.inference_only:
        parts.append("parts that only training uses")
    if judges is None:
        parts.append("discriminators")
    if not parts:
        how = "at once" if judges.where == "folder" else "with `discriminator=` set to this folder"
        return f"yes, {how} (by its parts, not tried)"
    return f"yes, after new {' and '.join(parts)}, which training makes and trains first (by its parts, not tried)"


def _version() -> str:
    import transformers

    return transformers.__version__
