"""One step of training against coqui-tts's VITS: time and peak memory, both of LJSpeech's size and on the same shapes.

    python -m venv peer && peer/bin/pip install torch==2.13.0 coqui-tts==0.28.0 six
    python benchmarks/train_step.py --peer-python peer/bin/python [--batch 4] [--threads 2] [--rounds 5]

Each has a process of its own, so that its peak memory is its own; they step in turn, and the one that waits sleeps.
A step begins with tokens and waveforms and ends with both models' parameters moved: spectrograms, generator, both
passes of the discriminators, backward passes, clipping, AdamW; float32. The peer's is its own `format_batch_on_device`,
`train_step`, criteria and optimizers, as its trainer calls them. What it would read files with (torchaudio, torchcodec)
is not needed, and stubbed.
"""

import argparse
import importlib.machinery
import json
import platform
import resource
import subprocess
import sys
import time
import types
from importlib.metadata import version
from pathlib import Path
from statistics import median

VOCABULARY, RATE, HOP, SEGMENT_FRAMES = 178, 22_050, 256, 32


def tensors(arguments):
    """input_ids (B, T_text) and waveform (B, T_wav), noise of speech's loudness; the same in both processes."""
    import torch

    source = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, VOCABULARY, (arguments.batch, arguments.tokens), generator=source)
    return tokens, 0.1 * torch.randn(arguments.batch, arguments.frames * HOP, generator=source)


def our_step(arguments):
    """-> a function that takes a step of ours."""
    import torch
    from accelerate import Accelerator

    from hf_vits import VitsConfig
    from hf_vits.data.batch import VitsBatch
    from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
    from hf_vits.training import ModelInitialization, VitsTrainingArguments
    from hf_vits.training.checkpoints import add_decoder_weight_norm
    from hf_vits.training.generator import VitsGenerator
    from hf_vits.training.optimizer import OptimizedModel
    from hf_vits.training.train_step import TrainingStep

    voice = VitsConfig(vocab_size=VOCABULARY, sampling_rate=RATE)
    start = ModelInitialization.from_scratch(voice, VitsDiscriminatorConfig(), seed=1)
    settings = VitsTrainingArguments(report_to=[], max_grad_norm=1000.0)
    generator = VitsGenerator(add_decoder_weight_norm(start.model), SEGMENT_FRAMES).train()
    models = (OptimizedModel(module, 2e-4, settings) for module in (generator, start.discriminator.train()))
    step = TrainingStep(*models, settings, Accelerator(cpu=True))
    tokens, waveform = tensors(arguments)
    batch = VitsBatch(
        input_ids=tokens,
        text_lengths=torch.full((len(tokens),), tokens.shape[1]),
        waveform=waveform.unsqueeze(1),
        waveform_lengths=torch.full((len(tokens),), waveform.shape[1]),
        speaker_id=None,
        rows=torch.arange(len(tokens)),
    )
    return lambda number: step([batch], number, 0)


def peer_step(arguments):
    """-> a function that takes a step of coqui-tts's."""
    for name in ("torchcodec", "torchaudio", "torchaudio.transforms", "torchaudio.functional"):
        module = sys.modules[name] = types.ModuleType(name)
        module.__spec__, module.__path__ = importlib.machinery.ModuleSpec(name, None), []
    import torch
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.models.vits import Vits, VitsArgs

    model = Vits(VitsConfig(model_args=VitsArgs())).train()
    model.text_encoder.emb = torch.nn.Embedding(VOCABULARY, model.args.hidden_channels)  # its own alphabet is smaller
    optimizers, criteria = model.get_optimizer(), model.get_criterion()
    tokens, waveform = tensors(arguments)

    def step(number):
        batch = {
            "tokens": tokens,
            "token_lens": torch.full((len(tokens),), tokens.shape[1]),
            "waveform": waveform.unsqueeze(1),
            "waveform_rel_lens": torch.ones(len(tokens)),
            **dict.fromkeys(("d_vectors", "speaker_ids", "language_ids")),
        }
        batch = model.format_batch_on_device(batch)
        for index, (optimizer, criterion) in enumerate(zip(optimizers, criteria, strict=True)):
            model.zero_grad(set_to_none=True)
            _, losses = model.train_step(batch, criterion, index)
            losses["loss"].backward()
            moved = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            torch.nn.utils.clip_grad_norm_(moved, model.config.grad_clip[index])
            optimizer.step()

    return step


PACKAGES = {"hf_vits": (our_step, "hf_vits"), "coqui-tts": (peer_step, "coqui-tts")}


def work(arguments):
    """Takes a step for each line that comes, and answers with its seconds and the peak memory so far."""
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    make, package = PACKAGES[arguments.worker]
    step = make(arguments)
    about = f"{arguments.worker} {version(package)}, torch {torch.__version__}"
    print(json.dumps({"about": about}), flush=True)
    for number, _ in enumerate(sys.stdin):
        began = time.perf_counter()
        step(number)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peak": peak}), flush=True)


class Worker:
    """A process that takes a step on request."""

    def __init__(self, name, python, arguments):
        given = [f"--{key}={getattr(arguments, key)}" for key in ("batch", "tokens", "frames", "threads")]
        command = [python, str(Path(__file__).resolve()), f"--worker={name}", *given]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about, self.seconds, self.peak = self._answer()["about"], [], 0.0

    def step(self, counts):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self._answer()
        self.peak = answer["peak"]
        if counts:
            self.seconds.append(answer["seconds"])

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def _answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):  # the peer prints other things too
                return json.loads(line)
        raise SystemExit(f"{' '.join(self.process.args)} ended early; what it printed stands above.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter of an environment with coqui-tts")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=200, help="of each clip")
    parser.add_argument("--frames", type=int, default=400, help="of each clip")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="steps of each that count, after two that do not")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--worker", choices=PACKAGES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments)
        return
    workers = [Worker("hf_vits", sys.executable, arguments), Worker("coqui-tts", arguments.peer_python, arguments)]
    for number in range(arguments.rounds + 2):
        for worker in workers:
            worker.step(counts=number >= 2)
    shape = f"batch {arguments.batch}, {arguments.tokens} tokens, {arguments.frames} frames, segment 8,192 samples"
    print(f"{shape}, float32, {arguments.threads} threads, {platform.machine()}, median of {arguments.rounds}")
    print(f"{'':<44} {'step s':>8} {'fastest':>8} {'peak MiB':>9}")
    for worker in workers:
        print(f"{worker.about:<44} {median(worker.seconds):>8.2f} {min(worker.seconds):>8.2f} {worker.peak:>9.0f}")
        worker.end()
    ours, peer = workers
    ratios = {
        "time": median(a / b for a, b in zip(ours.seconds, peer.seconds, strict=True)),
        "peak": ours.peak / peer.peak,
    }
    print(f"ours to the peer's: time {ratios['time']:.2f}, peak memory {ratios['peak']:.2f}")
    if arguments.json:
        rows = [{"about": w.about, "seconds": w.seconds, "peak_mib": w.peak} for w in workers]
        about = {"shape": shape, "threads": arguments.threads, "machine": platform.machine()}
        arguments.json.write_text(json.dumps({**about, "rows": rows, "ratios": ratios}, indent=2) + "\n")


if __name__ == "__main__":
    main()
