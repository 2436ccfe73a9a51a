"""Whether the tensors are those of the configuration, and of a type that can be loaded."""

from collections import Counter
from collections.abc import Iterator

from hf_vits.doctor.commands import json_changed, saved_again
from hf_vits.doctor.finding import Finding, error, note, warning
from hf_vits.doctor.folder import Folder
from hf_vits.doctor.tensors import AGAIN
from hf_vits.weights import TRAINING_ONLY
from hf_vits.wording import listed, quoted

OF_THIS_CONFIG = f"Check that config.json belongs to these weights. {AGAIN}"

FLOATS = {"F32": "float32", "F64": "float64", "F16": "float16", "BF16": "bfloat16"}


def check_tensors(folder: Folder) -> Iterator[Finding]:
    """Missing and unexpected tensors, shapes, and fields of the configuration that the tensors contradict."""
    fit = folder.fit
    if fit is None:
        return
    yield from _contradicted(folder)
    yield from _missing(folder)
    yield from _unexpected(folder)
    if fit.misshaped:
        words = [f"{name} is {list(has)}, not {list(wanted)}" for name, (has, wanted) in fit.misshaped.items()]
        text = f"Tensors of another shape than config.json asks for ({len(words)}): {listed(words)}."
        yield error("weights.shape", text, OF_THIS_CONFIG, names=sorted(fit.misshaped))


def _contradicted(folder: Folder) -> Iterator[Finding]:
    fit = folder.fit
    if fit.differs:
        fields = {name: told for name, (_, told) in fit.differs.items()}
        words = "; ".join(
            f"`{name}` is {quoted(said)}, the weights have {told}" for name, (said, told) in fit.differs.items()
        )
        command = json_changed(folder.path / "config.json", **fields)
        yield error(
            "config.disagrees",
            f"config.json is not that of these weights: {words}.",
            "Correct it.",
            command,
            weights=fields,
        )


def _missing(folder: Folder) -> Iterator[Finding]:
    fit = folder.fit
    training = [name for name in fit.missing if name.startswith(TRAINING_ONLY)]
    if training and len(training) == len(fit.missing):
        yield error(
            "weights.training_only_missing",
            f"Tensors are missing that only training uses ({len(training)}): {listed(training)}. The voice can speak, "
            "but its configuration says that they are there.",
            "Say `inference_only` in its configuration.",
            saved_again(folder.path, inference_only=True),
            names=training,
        )
    elif fit.missing:
        which = f"{len(fit.missing)}, of which only training uses {len(training)}"
        text = f"Tensors are missing ({which}): {listed(fit.missing)}."
        yield error("weights.missing", text, AGAIN, names=fit.missing)


def check_types(folder: Folder) -> Iterator[Finding]:
    """The numbers' types, of which a voice has one."""
    if folder.tensors is None:
        return
    types = folder.tensors.types
    odd = sorted(name for name, kind in types.items() if kind not in FLOATS)
    if odd:
        named = [f"{name} is {types[name]}" for name in odd]
        text = f"Tensors that are no floating-point numbers of 16 to 64 bits ({len(odd)}): {listed(named)}."
        yield error("weights.type", text, AGAIN, names=odd)
    counts = Counter(FLOATS[kind] for name, kind in types.items() if kind in FLOATS)
    again = saved_again(folder.path, ".float()")
    if len(counts) > 1:
        words = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        text = f"The tensors are of more than one type ({words}); a voice has one."
        yield warning("weights.mixed_types", text, "Save it again in float32.", again, types=dict(counts))
    elif (kind := next(iter(counts), "float32")) != "float32":
        why = (
            "twice the size for nothing"
            if kind == "float64"
            else "half the size; on a CPU it speaks slower, and training turns it into float32"
        )
        yield note(
            "weights.stored_type",
            f"The tensors are {kind}: {why}.",
            "Save it again in float32, if you like.",
            again,
            type=kind,
        )


def _unexpected(folder: Folder) -> Iterator[Finding]:
    fit = folder.fit
    training = [name for name in fit.unexpected if name.startswith(TRAINING_ONLY)]
    if fit.config.inference_only and training:
        yield note(
            "weights.training_parts_unused",
            f"Left out, as the configuration says `inference_only`: {len(training)} tensors that only training uses.",
            "If they are whole, the voice can be trained without it.",
            saved_again(folder.path, inference_only=False),
        )
    others = [name for name in fit.unexpected if not (fit.config.inference_only and name in set(training))]
    if others:
        text = f"Tensors of no layer of this configuration ({len(others)}): {listed(others)}."
        yield error("weights.unexpected", text, OF_THIS_CONFIG, names=others)
