"""What a phase of a run is prepared with when its first step comes, and forgets after its last: the base of these."""

import logging
from typing import Generic, TypeVar

import torch
from accelerate import Accelerator

from hf_vits.data.dataset import VitsDataset
from hf_vits.modeling_vits import VitsModel
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.training_arguments import VitsTrainingArguments

Prepared = TypeVar("Prepared")


class PhasePreparation(Generic[Prepared]):
    """
    What the steps of a phase take; subclasses say how to `prepare` it.

    Args:
        model ([`VitsModel`]):
            The model that is trained, before its first step.
        tokenizer ([`VitsTokenizer`]):
            Tokenizer of the recordings' texts.
        recordings ([`VitsDataset`]):
            The clips.
        text_column (`str`):
            Column of their texts.
        args ([`VitsTrainingArguments`]):
            Settings.
        accelerator (`Accelerator`):
            Gives device, precision and process.
    """

    def __init__(
        self,
        model: VitsModel,
        tokenizer: VitsTokenizer,
        recordings: VitsDataset,
        text_column: str,
        args: VitsTrainingArguments,
        accelerator: Accelerator,
    ):
        self.model, self.tokenizer, self.recordings, self.text_column = model, tokenizer, recordings, text_column
        self.args, self.accelerator = args, accelerator
        self._prepared: Prepared | None = None

    def prepare(self) -> Prepared:
        """Make what the steps take, in a minute or two; it follows from the model, the recordings and the seed."""
        raise NotImplementedError

    @property
    def prepared(self) -> Prepared:
        """What the steps take; made when it is first asked for."""
        if self._prepared is None:
            with torch.autocast(self.model.device.type, enabled=False):
                self._prepared = self.prepare()
        return self._prepared

    def release(self) -> None:
        """Forget what the steps took, when they are over."""
        self._prepared = None

    def announce(self, message: str) -> None:
        """Log a message once for all processes."""
        if self.accelerator.is_main_process:
            logging.getLogger(type(self).__module__).info(message)
