"""Training: data to batches, the generator's pass, the players' steps, and the run around them."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hf_vits.training.config import RunOptions, VitsTrainingConfig
    from hf_vits.training.data import Columns
    from hf_vits.training.folder import read_folder
    from hf_vits.training.hub import check_login
    from hf_vits.training.recipe import Recipe
    from hf_vits.training.starting import StartingPoint
    from hf_vits.training.trainer import VitsTrainer

_HOMES = {
    "Columns": "data",
    "Recipe": "recipe",
    "RunOptions": "config",
    "StartingPoint": "starting",
    "VitsTrainer": "trainer",
    "VitsTrainingConfig": "config",
    "check_login": "hub",
    "read_folder": "folder",
}
__all__ = [
    "Columns",
    "Recipe",
    "RunOptions",
    "StartingPoint",
    "VitsTrainer",
    "VitsTrainingConfig",
    "check_login",
    "read_folder",
]


def __getattr__(name: str):
    """Imports what is asked for, and only that."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"hf_vits.training.{_HOMES[name]}"), name)
