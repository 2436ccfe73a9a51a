"""One of two processes of a run that evaluates, is stopped, and is uploaded: joint_run.py <voice> <JSON settings>.

The second process alone gets the signal, after two steps.
"""

import importlib.util
import json
import signal
import sys
from pathlib import Path

import torch
from datasets import Audio, Dataset

from hf_vits import VitsTokenizer
from hf_vits.training import ModelInitialization, VitsTrainer, VitsTrainingArguments

torch.set_num_threads(1)

spec = importlib.util.spec_from_file_location("training_runs", Path(__file__).parents[1] / "training_runs.py")
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)


def main(voice, settings):
    audio = [tests.recording(0.3 + 0.3 * (number * 7 % 8) / 8, number) for number in range(8)]
    data = Dataset.from_dict({"text": ["a hope", "feed me"] * 4, "audio": audio}).cast_column(
        "audio", Audio(decode=False)
    )
    tokenizer, eval_dataset = VitsTokenizer.from_pretrained(voice), data.select(range(3))
    args = VitsTrainingArguments(**json.loads(settings))
    trainer = VitsTrainer(ModelInitialization.from_pretrained(voice), args, data, eval_dataset, tokenizer)
    advance = trainer._advance

    def advance_and_tell(*arguments):
        advance(*arguments)
        if trainer.progress.step == 2 and trainer.accelerator.process_index == 1:
            signal.raise_signal(signal.SIGTERM)

    trainer._advance = advance_and_tell
    trainer.train()
    trainer.push_to_hub("org/voice")


if __name__ == "__main__":
    main(*sys.argv[1:])
