"""Train a voice: accelerate launch examples/train.py --config examples/configs/finetune_piper_cpu.json

Settings come from the JSON file of --config, from arguments, or from both, where arguments win.
"""

import json
import logging
import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported: threads wait without spinning

from transformers import HfArgumentParser

from hf_vits.training import Recipe, VitsTrainingConfig, check_login


def parse(arguments=None):
    parser = HfArgumentParser([Recipe, VitsTrainingConfig], description=__doc__)
    parser.add_argument("--config", type=Path, help="JSON file of settings")
    parser.add_argument("--resume_from_checkpoint", help='checkpoint to go on from; "latest" is the newest, if any')
    parser.add_argument("--push_to_hub", metavar="NAME", nargs="?", const="", help="upload the finished voice")
    given, _ = parser.parse_known_args(arguments)
    if given.config:
        settings = json.loads(given.config.read_text(encoding="utf-8"))
        if unknown := sorted(settings.keys() - vars(given).keys()):
            parser.error(f"{given.config} holds {unknown}, which are no settings; --help lists those there are.")
        parser.set_defaults(**settings)
    return parser.parse_args_into_dataclasses(arguments)


def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe, config, run = parse()
    if run.push_to_hub is not None:
        check_login()
    trainer = recipe.trainer(config)
    progress = trainer.train(resume=run.resume_from_checkpoint)
    if run.push_to_hub is not None and progress.step >= config.max_steps:  # not what was stopped on its way
        trainer.push_to_hub(run.push_to_hub or None)


if __name__ == "__main__":
    main()
