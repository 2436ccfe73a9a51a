"""One of two processes of a run that evaluates, is stopped, and is uploaded."""

import signal

import torch
from datasets import Audio, Dataset
from stub_hub import connect
from training_runs import recording

from hf_vits import VitsTokenizer
from hf_vits.training import ModelInitialization, VitsTrainer, VitsTrainingArguments


def train(voice, settings, hub):
    """Train a model folder with these settings and upload it; the second process alone gets a signal in step 2."""
    torch.set_num_threads(1)
    connect(hub)
    audio = [recording(0.3 + 0.3 * (number * 7 % 8) / 8, number) for number in range(8)]
    data = Dataset.from_dict({"text": ["a hope", "feed me"] * 4, "audio": audio}).cast_column(
        "audio", Audio(decode=False)
    )
    tokenizer, eval_dataset = VitsTokenizer.from_pretrained(voice), data.select(range(3))
    args = VitsTrainingArguments(**settings)
    trainer = VitsTrainer(ModelInitialization.from_pretrained(voice), args, data, eval_dataset, tokenizer)
    advance = trainer._advance

    def advance_and_tell(*arguments):
        advance(*arguments)
        if trainer.progress.step == 2 and trainer.accelerator.process_index == 1:
            signal.raise_signal(signal.SIGTERM)

    trainer._advance = advance_and_tell
    trainer.train()
    trainer.push_to_hub("org/voice")
