"""Trainers in processes of their own, each with settings and data of its own, of which one may stop or fail."""

import os
import signal

from processes import CONTEXT, joint_environments, signal_at, start

RATE = 2000


def run(folder, settings, texts, stopped_at=None):
    """
    Train in two processes and give what each says at its end: "done", or its error.

    Args:
        folder: where they write.
        settings: for each process what it has besides `output_dir` and the usual ones.
        texts: for each process the texts of its clips; `None` in their place fails while reading.
        stopped_at: the step after which the second process stops, as at SIGSTOP; it is then killed.
    """
    ends, running = [CONTEXT.Pipe(duplex=False) for _ in range(2)], []
    for rank, place in enumerate(joint_environments(2)):
        given = {"output_dir": str(folder), **settings[rank]}
        arguments = (given, texts[rank], stopped_at if rank == 1 else None, ends[rank][1])
        running.append(start(_train, *arguments, environment={"OMP_NUM_THREADS": "1", **place}))
    said = []
    for number, (process, (receives, _)) in enumerate(zip(running, ends, strict=True)):
        stopped = number == 1 and stopped_at is not None
        said.append(None if stopped or not receives.poll(60) else receives.recv())
        if stopped:
            process.kill()
        process.join(10)
        process.kill()
    return said


def _train(settings, texts, stopped_at, end):
    try:
        trainer = _trainer(settings, texts)
        signal_at(trainer, stopped_at, signal.SIGSTOP)
        trainer.train()
        end.send("done")
    except Exception as error:
        end.send(f"{type(error).__name__}: {error}")
        end.close()
        os._exit(1)


def _trainer(settings, texts):
    import io

    import numpy as np
    import soundfile
    import torch
    from datasets import Audio, Dataset

    from hf_vits import VitsConfig
    from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
    from hf_vits.training import ModelInitialization, VitsTrainer, VitsTrainingArguments
    from hf_vits.training.initialization import build_tokenizer

    torch.set_num_threads(1)
    sound = io.BytesIO()
    soundfile.write(sound, 0.1 * np.sin(np.arange(RATE // 2)), RATE, format="WAV")
    audio = [{"bytes": sound.getvalue(), "path": f"{number}.wav"} for number in range(len(texts))]
    data = Dataset.from_dict({"text": texts, "audio": audio}).cast_column("audio", Audio(decode=False))
    config = VitsConfig(**settings.pop("model"))
    discriminator = VitsDiscriminatorConfig(periods=[2], period_channels=[4], scale_channels=[4, 4, 8, 8, 8, 8])
    tokenizer = build_tokenizer(["abcdefgh "], phonemize=False)
    usual = {
        "report_to": [],
        "dataloader_num_workers": 0,
        "cpu_threads": 1,
        "per_device_train_batch_size": 1,
        "segment_frames": 8,
    }
    start = ModelInitialization.from_scratch(config, discriminator, seed=1)
    args = VitsTrainingArguments(**{**usual, "min_duration_seconds": 0.1, **settings})
    return VitsTrainer(start, args, data, None, tokenizer)
