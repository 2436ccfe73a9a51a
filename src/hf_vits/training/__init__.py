"""Train a voice: forward pass of the generator, losses, training step, and the run around them."""

from typing import TYPE_CHECKING

from hf_vits.utils.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from hf_vits.data.dataset import Columns
    from hf_vits.data.metadata_folder import read_folder
    from hf_vits.training.completed_base import complete
    from hf_vits.training.completion import CompletionSettings
    from hf_vits.training.initialization import ModelInitialization
    from hf_vits.training.model_and_data_arguments import ModelAndDataArguments
    from hf_vits.training.trainer import VitsTrainer, check_login
    from hf_vits.training.training_arguments import RunOptions, VitsTrainingArguments

__all__ = [
    "Columns",
    "CompletionSettings",
    "ModelAndDataArguments",
    "ModelInitialization",
    "RunOptions",
    "VitsTrainer",
    "VitsTrainingArguments",
    "check_login",
    "complete",
    "read_folder",
]
__getattr__ = lazy_attributes(
    __name__,
    {
        "Columns": "hf_vits.data.dataset",
        "CompletionSettings": "completion",
        "ModelAndDataArguments": "model_and_data_arguments",
        "ModelInitialization": "initialization",
        "RunOptions": "training_arguments",
        "VitsTrainer": "trainer",
        "VitsTrainingArguments": "training_arguments",
        "check_login": "trainer",
        "complete": "completed_base",
        "read_folder": "hf_vits.data.metadata_folder",
    },
)
