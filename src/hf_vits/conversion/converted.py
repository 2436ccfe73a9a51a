"""The result of a conversion: a voice of another project in our layout, complete and checked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedTokenizer

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.checkpoint import check_tensors, copied
from hf_vits.conversion.discriminators import SUBFOLDER, ConvertedDiscriminator
from hf_vits.conversion.source import Source
from hf_vits.hub.cards import card
from hf_vits.hub.license import CARD, Provenance, inherit_license, origin_beside
from hf_vits.hub.state_dict import match_state_dict
from hf_vits.modeling_utils import model_with_state
from hf_vits.modeling_vits import VitsModel
from hf_vits.utils.atomic_folder import destination, new_folder
from hf_vits.utils.logging import no_progress_bar
from hf_vits.utils.meta_device import skeleton


@dataclass(frozen=True)
class Converted:
    """
    A voice of another project in our layout. Creating one checks that its weights are those of its configuration.

    Args:
        config (`VitsConfig`):
            The architecture and the defaults of a call.
        state_dict (`Mapping[str, Tensor]`):
            The weights under our names, in any format of weight norm.
        tokenizer (`PreTrainedTokenizer`, *optional*):
            The voice's text front end; `None` if the source has none.
        notes (`tuple[str, ...]`, *optional*):
            What was left out, assumed or decided.
        discriminator ([`~conversion.discriminators.ConvertedDiscriminator`], *optional*):
            The discriminators that the voice was trained against; with them, training can continue at once.
        origin ([`~hub.license.Provenance`], *optional*):
            Its license and what it was made from, if the format or a model card says.

    Raises:
        ValueError: if a tensor is missing, left over, of another shape or kind, or not finite.
    """

    config: VitsConfig
    state_dict: Mapping[str, Tensor]
    tokenizer: PreTrainedTokenizer | None = None
    notes: tuple[str, ...] = ()
    discriminator: ConvertedDiscriminator | None = None
    origin: Provenance | None = None

    def __post_init__(self):
        """Check the weights and convert them to the weight format of a new model, in float32."""
        check_tensors(self.state_dict)
        notes = dtype_notes(str(tensor.dtype).removeprefix("torch.") for tensor in self.state_dict.values())
        float32 = {key: tensor.float() for key, tensor in self.state_dict.items()}  # before anything is folded
        shapes = {key: tensor.shape for key, tensor in skeleton(VitsModel, self.config).state_dict().items()}
        matched = match_state_dict(float32, shapes, "the file to convert", foreign=True)
        object.__setattr__(self, "state_dict", copied(matched))
        object.__setattr__(self, "notes", (*self.notes, *notes))

    def model(self) -> VitsModel:
        """Return the model in evaluation mode; its parameters share memory with `state_dict`."""
        return model_with_state(VitsModel, self.config, self.state_dict).eval()

    def save(self, directory: str | Path, overwrite: bool = False) -> Path:
        """
        Write config.json, model.safetensors, the tokenizer's files and a model card, for `from_pretrained`.

        Discriminators go into its subfolder `discriminator`, where training looks for them. All files are written
        elsewhere first and put in place in one step, so that the folder is complete or missing. Only an empty folder
        that exists already is kept and filled file by file, config.json last.

        Args:
            directory (`str` or `Path`):
                The folder to create, with its parents.
            overwrite (`bool`, *optional*, defaults to `False`):
                Replace a folder that is not empty, with everything in it.

        Raises:
            FileExistsError: if `directory` is a file, or not empty and `overwrite` is not set.
            ValueError: if it is an empty string, or would replace the current folder.
        """
        directory = destination(directory)
        with new_folder(directory, overwrite) as staged:
            with no_progress_bar():
                self.model().save_pretrained(staged)
                if self.discriminator is not None:
                    self.discriminator.model().save_pretrained(staged / SUBFOLDER)
            if self.tokenizer is not None:
                self.tokenizer.save_pretrained(staged)
            card(directory.name, self.origin, self.tokenizer, self.notes).save(staged / CARD)
        return directory


def dtype_notes(types: Iterable[str]) -> tuple[str, ...]:
    """Return a note on weights that were of another type than float32."""
    others = sorted(set(types) - {"float32"})
    return (f"Stored as float32: weights of the type {', '.join(others)}.",) if others else ()


def describe(kind: str, config: VitsConfig, state_dict: Mapping[str, Tensor], tokens: str = "") -> str:
    """
    Return one line on a voice.

    Args:
        kind (`str`):
            The beginning of the line, such as "A Piper voice".
        config (`VitsConfig`):
            The architecture.
        state_dict (`Mapping[str, Tensor]`):
            The weights.
        tokens (`str`, *optional*):
            Number and kind of its tokens, if there are not as many as the embedding has rows.
    """
    speakers = "1 speaker" if config.num_speakers == 1 else f"{config.num_speakers} speakers"
    languages = f", {config.num_languages} languages" if config.num_languages > 1 else ""
    durations = "stochastic" if config.use_stochastic_duration_prediction else "deterministic"
    layer = config.text_encoder_config.speaker_layer
    knows = "" if layer is None else f" that knows the speaker from layer {layer} on"
    transformer = " with transformers" if config.flow_config.transformer else ""
    millions = sum(tensor.numel() for tensor in state_dict.values()) / 1e6
    return (
        f"{kind}: {config.sampling_rate:,} Hz, {speakers}{languages}, {tokens or f'{config.vocab_size} tokens'}, "
        f"{millions:.3g} million parameters; text encoder of {config.num_hidden_layers} layers and {config.text_size} "
        f"channels{knows}, {durations} duration predictor, {config.prior_encoder_num_flows} couplings{transformer}, "
        f"{config.decoder_config.describe()}."
    )


def license_beside(source: Source) -> tuple[Provenance | None, tuple[str, ...]]:
    """Return what a model card beside a voice says, and a note."""
    origin = origin_beside(source.folder)
    if origin is None:
        return None, ()
    origin = inherit_license(origin)
    return origin, license_note(origin)


def license_note(origin: Provenance) -> tuple[str, ...]:
    """Return one line on a license that is known."""
    if not origin.license:
        return ()
    forbidden = " Nothing made from it may be used commercially." if origin.is_non_commercial else ""
    return (f"Its license, by its card or name: {origin.license_in_words}.{forbidden}",)


def training_notes(config: VitsConfig, discriminator: ConvertedDiscriminator | None, file: str = "") -> tuple[str, ...]:
    """Return notes on how training can continue; `file`, such as "D_*.pth", is where the format has discriminators."""
    notes = () if discriminator is None else discriminator.notes
    if config.inference_only:
        return (
            "It can speak but not be trained as it is: it has no posterior encoder. `hf-vits complete` trains one.",
            *notes,
        )
    if discriminator is None:
        without = "Without discriminators" + (f" ({file})" if file else "")
        return (f"{without}: training creates new ones, and trains them first.",)
    return "With its discriminators: training can continue at once.", *notes
