"""Train a voice: accelerate launch examples/train.py --config examples/configs/finetune_piper_cpu.json

Settings come from the JSON file of --config, from arguments, or from both, where arguments win.
"""

import logging
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported: threads wait without spinning

from hf_vits.training import ModelAndDataArguments, RunOptions, VitsTrainingArguments, check_login
from hf_vits.utils.script_arguments import SettingsParser, run_script


def parse(arguments=None):
    return SettingsParser([ModelAndDataArguments, VitsTrainingArguments, RunOptions], description=__doc__).parse(
        arguments
    )


def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe, config, run = parse()
    if run.push_to_hub:
        check_login()
    trainer = recipe.trainer(config)
    progress = trainer.train(resume=run.resume_from_checkpoint)
    if run.push_to_hub and progress.step >= config.max_steps:  # not what was stopped on its way
        trainer.push_to_hub(run.hub_model_id, run.hub_private_repo)


if __name__ == "__main__":
    run_script(main, "interrupted; go on from the last checkpoint with --resume_from_checkpoint latest")
