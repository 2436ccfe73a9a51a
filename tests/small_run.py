"""A run of a few steps in a process of its own: small_run.py <folder of recordings> <JSON settings> <parameters' file>.

With `"die_at": n` among the settings the process kills itself, as `kill -9` does, once n steps are taken; with
`"stray": true` every process but the first begins with other parameters.
"""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

import torch

from hf_vits import VitsConfig
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.training import ModelInitialization, VitsTrainer, VitsTrainingArguments, read_folder
from hf_vits.training.initialization import build_tokenizer

torch.set_num_threads(1)

spec = importlib.util.spec_from_file_location("tests_conftest", Path(__file__).parents[1] / "conftest.py")
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)


def main(folder, settings, parameters):
    settings = json.loads(settings)
    die_at, config = settings.pop("die_at", None), VitsConfig(**settings.pop("model"))
    strays = settings.pop("stray", False) and os.environ["RANK"] != "0"
    data, _ = read_folder(folder)
    start = ModelInitialization.from_scratch(config, VitsDiscriminatorConfig(**settings.pop("discriminator")), seed=1)
    tests.enliven(start.model)  # a new voice has gradients that are mere rounding, and ties in its alignments
    if strays:
        for parameter in (*start.model.parameters(), *start.discriminator.parameters()):
            parameter.data += 0.1
    tokenizer = build_tokenizer(data["text"], phonemize=False)
    trainer = VitsTrainer(start, VitsTrainingArguments(**settings), data, None, tokenizer)
    advance = trainer._advance

    def advance_or_die(*arguments):
        advance(*arguments)
        if trainer.progress.step == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    trainer._advance = advance_or_die
    trainer.train(resume_from_checkpoint="latest")
    if trainer.accelerator.is_main_process:
        modules = {"generator": trainer.generator.module, "discriminator": trainer.discriminator.module}
        torch.save({name: module.state_dict() for name, module in modules.items()}, parameters)


if __name__ == "__main__":
    main(*sys.argv[1:])
