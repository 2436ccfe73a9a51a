"""How each layer spells its weight norm, and who would read it wrongly."""

from collections.abc import Iterator

from hf_vits.doctor.commands import saved_again
from hf_vits.doctor.finding import Finding, error, warning
from hf_vits.doctor.folder import Folder
from hf_vits.doctor.tensors import AGAIN
from hf_vits.wording import listed

AS_WRITTEN = "hf_vits reads every spelling, and writes that of stock transformers: save the voice again."


def check_weight_norm(folder: Folder) -> Iterator[Finding]:
    """Pairs that are no pairs; spellings in which stock transformers would start layers anew."""
    layers = folder.layers
    if layers.halves:
        text = (
            f"Tensors of weight norm without the other of their pair ({len(layers.halves)}): {listed(layers.halves)}."
        )
        yield error("weights.norm_half", text, AGAIN, names=layers.halves)
    if layers.twice:
        text = f"Layers stored twice, in two spellings of weight norm ({len(layers.twice)}): {listed(layers.twice)}."
        yield error(
            "weights.norm_twice",
            text,
            "Remove one of the two, that which training no longer changed.",
            names=layers.twice,
        )
    if layers.unfit:
        text = f"Layers whose weight norm has a g that does not fit v ({len(layers.unfit)}): {listed(layers.unfit)}."
        yield error("weights.norm_shape", text, AGAIN, names=layers.unfit)
    if folder.config is None or not folder.config.needs_extension:  # others stock transformers does not load at all
        yield from _for_stock(folder)


def _for_stock(folder: Folder) -> Iterator[Finding]:
    layers, again = folder.layers, saved_again(folder.path)
    old, new, plain = (layers.spelt(way, normed=True) for way in ("old", "new", "plain"))
    if old:
        mixed = f" ({len(new)} have parametrizations.weight.original0 and 1)" if new else ""
        text = (
            f"Layers of the WaveNets spell their weight norm weight_g and weight_v: {len(old)}{mixed}. Some stock "
            "transformers below 4.57 with torch 2.1 or newer, such as 4.44.2, start these layers anew without an "
            "error, and speak noise; 4.57.6 and 5.x read them."
        )
        yield warning("weights.norm_old", text, AS_WRITTEN, again, old=len(old), new=len(new))
    if plain:
        text = (
            f"Layers of the WaveNets stored without weight norm ({len(plain)}): {listed(plain)}. Stock transformers "
            "starts them anew, and speaks noise."
        )
        yield warning("weights.norm_folded", text, AS_WRITTEN, again, names=plain)
    elsewhere = sorted({*layers.spelt("old", normed=False), *layers.spelt("new", normed=False)})
    if elsewhere:
        text = (
            f"Layers elsewhere than in WaveNets with weight norm, as finetune-hf-vits trains them ({len(elsewhere)}): "
            f"{listed(elsewhere)}. Stock transformers holds them without, starts them anew, and speaks noise."
        )
        yield warning("weights.norm_elsewhere", text, AS_WRITTEN, again, names=elsewhere)
