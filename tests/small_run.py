"""A run of a few steps, in a process of its own that may kill itself."""

import os
import signal

import torch
from processes import signal_at
from tiny_voices import enliven

from hf_vits import VitsConfig
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.training import ModelInitialization, VitsTrainer, VitsTrainingArguments, read_folder
from hf_vits.training.initialization import build_tokenizer


def train(folder, model, discriminator, settings, parameters, die_at=None, strays=False):
    """
    Train on a folder of recordings, resuming if there is a checkpoint.

    Args:
        folder: the recordings.
        model, discriminator: fields of their configurations.
        settings: those of the run.
        parameters: the file for the parameters at the end.
        die_at: the step after which the process kills itself, as `kill -9` does.
        strays: every process but the first begins with other parameters.
    """
    torch.set_num_threads(1)
    data, _ = read_folder(folder)
    start = ModelInitialization.from_scratch(VitsConfig(**model), VitsDiscriminatorConfig(**discriminator), seed=1)
    enliven(start.model)  # a new voice has gradients that are mere rounding, and ties in its alignments
    if strays and os.environ["RANK"] != "0":
        for parameter in (*start.model.parameters(), *start.discriminator.parameters()):
            parameter.data += 0.1
    tokenizer = build_tokenizer(data["text"], phonemize=False)
    trainer = VitsTrainer(start, VitsTrainingArguments(**settings), data, None, tokenizer)
    signal_at(trainer, die_at, signal.SIGKILL)
    trainer.train(resume_from_checkpoint="latest")
    if trainer.accelerator.is_main_process:
        modules = {"generator": trainer.generator.module, "discriminator": trainer.discriminator.module}
        torch.save({name: module.state_dict() for name, module in modules.items()}, parameters)
