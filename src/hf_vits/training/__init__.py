"""Train a voice: forward pass of the generator, losses, training step, and the run around them."""

from typing import TYPE_CHECKING

from hf_vits.utils.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from hf_vits.data.dataset import Columns
    from hf_vits.data.metadata_folder import read_folder
    from hf_vits.training.arguments import ModelAndDataArguments
    from hf_vits.training.config import RunOptions, VitsTrainingConfig
    from hf_vits.training.initialization import ModelInitialization
    from hf_vits.training.trainer import VitsTrainer, check_login

__all__ = [
    "Columns",
    "ModelAndDataArguments",
    "ModelInitialization",
    "RunOptions",
    "VitsTrainer",
    "VitsTrainingConfig",
    "check_login",
    "read_folder",
]
__getattr__ = lazy_attributes(
    __name__,
    {
        "Columns": "hf_vits.data.dataset",
        "ModelAndDataArguments": "arguments",
        "ModelInitialization": "initialization",
        "RunOptions": "config",
        "VitsTrainer": "trainer",
        "VitsTrainingConfig": "config",
        "check_login": "trainer",
        "read_folder": "hf_vits.data.metadata_folder",
    },
)
