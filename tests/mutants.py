"""Deliberate faults, one at a time, each of which the nearest test file must detect: `make mutants`.

Every fault is a small edit of one source file in a copy of the tree. If no test detects it, a test is missing or
cannot fail. Its text must occur exactly once in the file: the table must follow the code, which tests/test_mutants.py
checks. The tests also run once without any fault, as those that fail anyway prove nothing.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("src", "tests", "examples", "docs", "pyproject.toml", "setup.py", "README.md", "constraints.txt")
HEAVY = ("torch", "transformers", "accelerate", "datasets", "librosa", "matplotlib.pyplot", "soundfile", "scipy.signal")
"""What tests import for seconds each, and what imports nothing of ours."""

SECONDS = 600
"""Longest run of a test file; a fault that makes it hang is detected too."""


@dataclass(frozen=True)
class Mutant:
    """A fault: in `file`, below src/hf_vits, `old` becomes `new`. Those tests of the file `test`, below tests, whose
    names `select` matches, all if it is empty, must fail then."""

    file: str
    old: str
    new: str
    test: str
    select: str = ""


MUTANTS = [
    # Speaking without PyTorch
    Mutant("runtime/noise.py", "values[-BLOCK:] = ", "_ = ", "runtime/test_noise.py"),
    Mutant("runtime/noise.py", "625 - drawn", "624 - drawn", "runtime/test_noise.py", "state"),
    Mutant("runtime/speech.py", "pause_first and len(silence)", "len(silence)", "runtime/test_speech.py", "chunks"),
    Mutant("runtime/graphs.py", "not has_record(folder) or ", "", "runtime/test_build.py", "damaged"),
    Mutant("runtime/build.py", "timeout=-1 if wait else 0", "timeout=0", "runtime/test_build.py", "two_first"),
    Mutant("runtime/build.py", "if not error <= MAX_ERROR", "if False", "runtime/test_build.py", "difference"),
    Mutant("cli/speech_runtime.py", "chosen in (*names, *range(count))", "True", "cli/test_speech_runtime.py"),
    # Parts of VITS2
    Mutant(
        "modules/text_encoder.py",
        "if number == self.speaker_layer and",
        "if number + 1 == self.speaker_layer and",
        "conversion/formats/test_vits2.py",
        "paper",
    ),
    Mutant(
        "modules/text_encoder.py",
        "(hidden + self.cond(speaker).transpose(1, 2)) * column_mask",
        "hidden * column_mask",
        "modules/test_vits2.py",
        "speaker",
    ),
    Mutant(
        "modules/flow.py",
        "kept = kept + self.pre_transformer(kept, mask)",
        "kept = self.pre_transformer(kept, mask)",
        "conversion/formats/test_vits2.py",
        "paper",
    ),
    Mutant(
        "modules/text_encoder.py",
        "return hidden.transpose(1, 2) * mask",
        "return hidden.transpose(1, 2).flip(1) * mask",
        "conversion/formats/test_vits2.py",
        "paper",
    ),
    Mutant(
        "modeling_vits.py",
        "None if self.config.flow_config.mixes_all_frames else flow_context(self.config)",
        "flow_context(self.config)",
        "modules/test_vits2.py",
        "stream",
    ),
    Mutant(
        "conversion/vits_keys.py",
        "renamed[name] = tensor.unsqueeze(-1)",
        "renamed[name] = tensor",
        "conversion/formats/test_vits2.py",
        "tensors",
    ),
    Mutant(
        "conversion/formats/original.py",
        '**({"posterior_input": "mel"} if takes_mels else {})',
        "**{}",
        "conversion/formats/test_vits2.py",
        "tensors",
    ),
    Mutant(
        "modules/alignment.py",
        "own += scale * own.std(correction=0) * noise",
        "own += scale * noisy.std(correction=0) * noise",
        "training/test_alignment_noise.py",
        "noise",
    ),
    Mutant(
        "modules/alignment.py",
        "    if scale == 0:\n        return scores\n",
        "",
        "training/test_alignment_noise.py",
        "zero",
    ),
    Mutant(
        "training/train_step.py",
        "config.alignment_noise_decay * step",
        "config.alignment_noise_decay",
        "training/test_alignment_noise.py",
        "decreases",
    ),
    Mutant(
        "training/duration_step.py",
        "output.log_durations.detach(), output.speaker",
        "output.log_targets, output.speaker",
        "training/test_duration_step.py",
        "gradients",
    ),
    Mutant(
        "training/duration_step.py",
        "token_least_squares(fake, 0, output.mask)",
        "token_least_squares(fake, 1, output.mask)",
        "training/test_duration_step.py",
        "gradients",
    ),
    Mutant(
        "training/duration_step.py",
        "model.load_state_dict(kept, strict=False)",
        "pass",
        "training/test_duration_step.py",
        "predictor",
    ),
    Mutant(
        "training/trainer.py",
        "training_state.load_durations(self.durations, state, folder)",
        "pass",
        "training/test_duration_step.py",
        "resumed",
    ),
    Mutant(
        "training/phases.py",
        "Phase.DURATIONS: PREDICTOR",
        'Phase.DURATIONS: ""',
        "training/test_duration_step.py",
        "predictor",
    ),
    Mutant(
        "discriminators/duration.py",
        "norm(conv(hidden * mask)",
        "norm(conv(hidden)",
        "training/test_duration_step.py",
        "padded",
    ),
    # What a step learns from
    Mutant(
        "training/train_step.py",
        "seed_of(seed, step, row)",
        "seed_of(seed, row)",
        "training/test_train_step.py",
        "noise",
    ),
    Mutant(
        "training/train_step.py",
        "(seed_of(seed, step, row))",
        "(seed_of(seed, step))",
        "training/test_train_step.py",
        "noise",
    ),
    Mutant(
        "training/train_step.py",
        "clip_generators(seed, step, batch.rows)",
        "clip_generators(seed, 0, batch.rows)",
        "training/test_train_step.py",
        "noise",
    ),
    Mutant("training/generator.py", ".clamp(min=0) + 1", ".clamp(min=1)", "training/test_generator.py", "segment"),
    Mutant(
        "training/generator.py",
        "self.model.duration_predictor, found.text.hidden.detach()",
        "self.model.duration_predictor, found.text.hidden",
        "training/test_generator.py",
    ),
    Mutant(
        "training/train_step.py",
        "requires_grad_(True)",
        "requires_grad_(False)",
        "training/test_train_step.py",
        "frozen",
    ),
    Mutant(
        "training/generator.py",
        "module.gradient_checkpointing = True",
        "module.gradient_checkpointing = False",
        "training/test_generator.py",
    ),
    Mutant("training/losses.py", "0.5 * (error.square() - 1)", "0.5 * error.square()", "training/test_losses.py"),
    Mutant("training/losses.py", "r.detach().float()", "r.float()", "training/test_losses.py"),
    Mutant("modules/spectrogram.py", 'mode="reflect"', 'mode="replicate"', "modules/test_spectrogram.py"),
    Mutant("discriminators/base.py", "SLOPE = 0.1", "SLOPE = 0.2", "discriminators/test_modeling_discriminator.py"),
    Mutant(
        "modules/alignment_numba.py",
        "left[token] > same[token]",
        "left[token] < same[token]",
        "modules/test_alignment.py",
    ),
    # How a gradient becomes a step
    Mutant(
        "training/optimizer.py",
        " and not any(pattern.match(name) for pattern in patterns)",
        "",
        "training/test_trainer.py",
        "frozen",
    ),
    Mutant(
        "training/optimizer.py",
        "_average_gradients(with_gradient, average)",
        "pass",
        "training/test_optimizer.py",
        "mean",
    ),
    Mutant("training/optimizer.py", "        if finite:", "        if True:", "training/test_optimizer.py", "finite"),
    Mutant(
        "training/optimizer.py",
        "self.learning_rate * rate_factor",
        "self.learning_rate",
        "training/test_optimizer.py",
        "rate",
    ),
    Mutant("training/optimizer.py", "config.lr_decay**epoch", "1.0", "training/test_optimizer.py", "rise"),
    Mutant(
        "training/train_step.py",
        "total += loss.detach()",
        "total = loss.detach()",
        "training/test_train_step.py",
        "logged",
    ),
    Mutant(
        "training/optimizer.py",
        "get_ema_multi_avg_fn(min(decay",
        "get_ema_multi_avg_fn(1 - min(decay",
        "training/test_optimizer.py",
        "average",
    ),
    Mutant(
        "training/trainer.py",
        "self.ema.update_parameters(self.generator.module.model)",
        "pass",
        "training/test_trainer.py",
        "average",
    ),
    # Which data a run reads, and in which order
    Mutant(
        "data/samplers.py",
        "batch[self.process_index :: self.num_processes]",
        "batch[:: self.num_processes]",
        "data/test_samplers.py",
    ),
    Mutant("data/samplers.py", "seed_of(self.seed, self.epoch)", "seed_of(self.seed)", "data/test_samplers.py"),
    Mutant(
        "training/dataloader.py",
        "self.sampler.set_epoch(epoch, start)",
        "self.sampler.set_epoch(epoch)",
        "training/test_dataloader.py",
        "midst",
    ),
    Mutant("data/load.py", "train.skip(max_eval_samples)", "train", "data/test_load.py", "stream"),
    Mutant(
        "data/metadata_folder.py",
        "[row for row in rows if row[FILE] not in names]",
        "list(rows)",
        "data/test_metadata_folder.py",
        "eval",
    ),
    Mutant(
        "data/dataset.py",
        "text_lengths=torch.tensor([len(item) for item in ids])",
        "text_lengths=torch.tensor([max(map(len, ids)) for item in ids])",
        "data/test_dataset.py",
        "pads",
    ),
    Mutant("training/initialization.py", "count >= min_count", "count > min_count", "training/test_initialization.py"),
    Mutant("data/columns.py", "len(names) > 1", "len(names) > 99", "data/test_columns.py"),
    # What a run begins with and goes on from
    Mutant(
        "training/trainer.py",
        'self.accelerator.scaler.load_state_dict(state["scaler"])',
        "pass",
        "training/test_checkpoints.py",
        "scaler",
    ),
    Mutant(
        "training/trainer.py",
        'training_state.load_module(self.ema, state["ema"], "moving average")',
        "pass",
        "training/test_trainer.py",
        "resumed_run_ends",
    ),
    Mutant(
        "training/training_state.py",
        "bool(torch.isfinite(tensor).all())",
        "True",
        "training/test_training_state.py",
        "named",
    ),
    Mutant("training/run_checks.py", ") != (now := ", ") == (now := ", "training/test_run_checks.py", "resumed"),
    Mutant(
        "training/run_checks.py",
        "if name not in PER_PROCESS}",
        "if name in PER_PROCESS}",
        "utils/test_distributed.py",
        "differ",
    ),
    Mutant("utils/distributed.py", "    if differing:", "    if False:", "utils/test_distributed.py", "difference"),
    Mutant(
        "training/trainer.py",
        "if self._evaluates_after(self.progress.step):",
        "if self.progress.step == 0:",
        "training/test_process.py",
        "catches_up",
    ),
    # What a run writes
    Mutant(
        "training/checkpoints.py", "key=lambda file: file == staged / LAST", "key=str", "training/test_checkpoints.py"
    ),
    Mutant(
        "training/checkpoints.py",
        "len(known) - keep)]",
        "len(known) - keep - 1)]",
        "training/test_checkpoints.py",
        "oldest",
    ),
    Mutant(
        "training/checkpoints.py",
        "return sorted(folders, key=step_of)",
        "return sorted(folders, key=str)",
        "training/test_checkpoints.py",
        "oldest",
    ),
    Mutant(
        "training/checkpoints.py",
        "step_of(folder) >= step",
        "step_of(folder) > step",
        "training/test_checkpoints.py",
        "given_up",
    ),
    Mutant("training/checkpoints.py", "    elif lost:", "    elif False:", "training/test_checkpoints.py", "state"),
    Mutant(
        "training/checkpoints.py", " if step_of(one) != best]", "]", "training/test_speech_evaluation.py", "deleted"
    ),
    Mutant("training/best_model.py", "limit - self.args", "limit + self.args", "training/test_best_model.py", "within"),
    Mutant("training/best_model.py", "return (0.0, first)", "return (0.0, second)", "training/test_best_model.py"),
    Mutant("training/best_model.py", "% self.args.save_steps == 0", ">= 0", "training/test_best_model.py", "patience"),
    Mutant(
        "training/speech_evaluation.py",
        "self.args.seed, number, recording)",
        "self.args.seed, 0, recording)",
        "training/test_speech_evaluation.py",
        "same_seeds",
    ),
    Mutant(
        "evaluation/report.py",
        "totals = pairs.sum(axis=1)",
        "totals = (pairs / pairs[..., 1:]).sum(axis=1)",
        "evaluation/test_report.py",
    ),
    Mutant(
        "evaluation/report.py",
        "one[_drawn(len(scores), seed)]",
        "one[_drawn(len(scores), seed + (one is others))]",
        "evaluation/test_report.py",
        "pairs",
    ),
    Mutant("evaluation/report.py", "(1 - LEVEL) / 2", "1 - LEVEL", "evaluation/test_report.py", "normal"),
    Mutant(
        "evaluation/similarity.py", "_unit(self.encode(", "(self.encode(", "evaluation/test_similarity.py", "cosine"
    ),
    Mutant("evaluation/speech_frames.py", " / np.sqrt(2)", "", "evaluation/test_speech_frames.py", "cosine"),
    Mutant(
        "evaluation/recording_comparison.py",
        "speech != recording",
        "speech & recording",
        "evaluation/test_recording_comparison.py",
        "voice",
    ),
    Mutant("evaluation/report.py", ", scale=metric.badness", "", "evaluation/test_report.py", "target"),
    Mutant("hub/card_sections.py", "if 0 <= start < stop:", "if False:", "hub/test_card_sections.py", "replaced"),
    Mutant(
        "evaluation/error_rates.py",
        "missed + alignment.insertions, ",
        "missed, ",
        "evaluation/test_error_rates.py",
        "edit_distance",
    ),
    Mutant("training/loggers.py", 'if line["step"] <= step]', "]", "training/test_loggers.py", "dropped"),
    Mutant("training/evaluation.py", "total / count", "total", "training/test_evaluation.py", "mean"),
    Mutant("training/evaluation.py", ".amax(dim=-1).mean()", ".mean()", "training/test_evaluation.py", "focus"),
    Mutant("training/model_card.py", "else CARD_BESIDE", "else CARD", "training/test_model_card.py", "somebody"),
    Mutant("training/trainer.py", '["checkpoint-*", ', "[", "training/test_trainer.py", "pushed"),
    Mutant("training/process.py", "        self.__exit__()\n", "", "training/test_process.py", "second_acts"),
    Mutant("training/process.py", "is not signal.SIG_IGN]", "is not None]", "training/test_process.py", "ignored"),
    Mutant("utils/run_lock.py", "            lock.acquire()", "            pass", "utils/test_run_lock.py", "refused"),
    Mutant(
        "utils/atomic_folder.py",
        "            os.rename(former / directory.name, directory)\n",
        "",
        "utils/test_atomic_folder.py",
        "replaced",
    ),
    Mutant(
        "synthesis/output_folder.py", "    if differing:", "    if False:", "synthesis/test_run.py", "other_settings"
    ),
    # What is read and asked for
    Mutant(
        "hub/state_dict.py",
        "missing = sorted(shapes.keys() - matched.keys())",
        "missing = []",
        "hub/test_state_dict.py",
    ),
    Mutant("utils/archives.py", "unpacked > size or ", "", "utils/test_archives.py"),
    Mutant(
        "utils/distributed.py",
        "launchers if own is None else own",
        'own or "no"',
        "utils/test_distributed.py",
        "precision",
    ),
    Mutant(
        "utils/distributed.py",
        'if precision == "fp16" and _on_cpu():',
        "if False:",
        "utils/test_distributed.py",
        "half",
    ),
    Mutant(
        "utils/setting_fields.py",
        "str(Path(path).expanduser())",
        "str(Path(path))",
        "utils/test_setting_fields.py",
        "home or expanded",
    ),
    Mutant(
        "utils/setting_fields.py",
        'value.split(",") if isinstance(value, str) else value',
        "list(value)",
        "utils/test_setting_fields.py",
        "annotated",
    ),
    Mutant("cli/parser.py", "    if unknown:", "    if False:", "cli/test_settings.py", "unknown"),
    # A voice that is completed
    Mutant(
        "training/own_speech.py",
        "max(0, count - self.pool_size)",
        "0",
        "training/test_own_speech.py",
        "pool",
    ),
    Mutant(
        "training/own_speech.py",
        "weight[..., : self.context] = weight[..., self.context + frames :] = 0",
        "weight[..., : self.context] = 0",
        "training/test_own_speech.py",
        "crop_gives",
    ),
    Mutant(
        "training/losses.py",
        "log_std + 0.5 * (",
        "log_std + (",
        "training/test_losses.py",
        "likelihood_of_latents",
    ),
    Mutant(
        "training/posterior_adaptation.py",
        "medians.get(speaker_id, medians[None]) for",
        "medians[None] for",
        "training/test_posterior_adaptation.py",
        "each_speaker",
    ),
    Mutant(
        "training/latent_pitch.py",
        "hop_length) + 0.5) *",
        "hop_length) + 5) *",
        "training/test_latent_pitch.py",
        "centre",
    ),
    Mutant(
        "training/train_step.py",
        "        self._backward(self._weighted_sum(loss))\n        return loss\n",
        "        return loss\n",
        "training/test_posterior_adaptation.py",
        "gradient",
    ),
    Mutant(
        "training/completion.py",
        '"window": self.window',
        '"window": []',
        "training/test_completion.py",
        "resumed",
    ),
    Mutant(
        "training/completion.py",
        "self.model.eval(), self.speech",
        "self.model, self.speech",
        "training/test_completion.py",
        "resumed",
    ),
    Mutant(
        "training/completion.py",
        ' if name != "cpu_threads"}',
        "}",
        "training/test_completed_base.py",
        "second_call",
    ),
    Mutant(
        "training/completed_base.py",
        " and changed_file(folder, FILES) is None",
        "",
        "training/test_completed_base.py",
        "damaged",
    ),
    Mutant(
        "training/completed_base.py",
        "if shutdown.requested or time.monotonic()",
        "if time.monotonic()",
        "training/test_completed_base.py",
        "stopped",
    ),
    Mutant(
        "training/initialization.py",
        "            self.model.get_parameter(name).copy_(completed.get_parameter(name))",
        "            pass",
        "training/test_initialization.py",
        "completed_copy",
    ),
    # Decoders that end in inverse transforms
    Mutant(
        "modules/decoders/istft.py",
        "[signal[..., 1:2], signal]",
        "[signal[..., :1], signal]",
        "modules/decoders/test_istft.py",
        "published",
    ),
    Mutant(
        "modules/decoders/istft.py",
        "shift = 1",
        "shift = 0",
        "modules/decoders/test_istft.py",
        "reach",
    ),
    Mutant(
        "modules/decoders/istft.py",
        "* self.upsampling + 1, length",
        "* self.upsampling, length",
        "modules/decoders/test_istft.py",
        "batch",
    ),
    Mutant("modules/pqmf.py", "(TAPS - 2) / 2", "(TAPS - 1) / 2", "modules/test_pqmf.py", ""),
    Mutant(
        "training/generator.py", "bands * sample_mask[..., ::BANDS]", "bands", "training/test_istft_voices.py", "bands"
    ),
    Mutant(
        "conversion/shape_inference.py",
        '{**fields["decoder"], **own}',
        'fields["decoder"]',
        "conversion/formats/test_mb_istft_vits.py",
        "",
    ),
    # When words are spoken
    Mutant(
        "timestamps/tokens.py",
        "last = i + (symbols[i + 1 : i + 2] == [BLANK])",
        "last = i",
        "timestamps/test_tokens.py",
    ),
    Mutant(
        "timestamps/tokens.py",
        "times[i] = (times.get(i, (a, b))[0], b)",
        "times[i] = (a, b)",
        "timestamps/test_tokens.py",
    ),
    Mutant(
        "timestamps/tokens.py",
        "out, at = [], groups[0][1] if groups else 0",
        "out, at = [], 0",
        "timestamps/test_tokens.py",
        "without_sound",
    ),
    Mutant(
        "timestamps/timeline.py",
        "start < self._taken or self._taken >= self.samples",
        "start < self._taken",
        "timestamps/test_timeline.py",
        "nothing_is_spoken",
    ),
    Mutant(
        "timestamps/timeline.py",
        "self.samples += moved(length, length)[0]",
        "pass",
        "timestamps/test_timeline.py",
        "hundred",
    ),
    Mutant(
        "timestamps/timeline.py",
        "first += ids[first] != tokenizer.blank_id",
        "first += 0",
        "timestamps/test_timeline.py",
        "truncated",
    ),
    Mutant(
        "pipeline.py",
        "parts.append(silence)\n                spoken.pause(len(silence))\n",
        "parts.append(silence)\n",
        "timestamps/test_timeline.py",
        "hundred",
    ),
    Mutant(
        "pipeline.py",
        "                spoken.pause(len(silence))\n                before +=",
        "                before +=",
        "timestamps/test_timeline.py",
        "hundred",
    ),
    Mutant(
        "timestamps/cues.py",
        "if seconds > MAX_SECONDS or not self.fits(first, last):",
        "if seconds > MAX_SECONDS:",
        "timestamps/test_cues.py",
    ),
    Mutant(
        "timestamps/cues.py",
        "if limit - wanted < MIN_GAP:",
        "if 0 < limit - wanted < MIN_GAP:",
        "timestamps/test_cues.py",
    ),
    Mutant(
        "timestamps/formats/webvtt.py",
        "if last < time < end:",
        "if last <= time:",
        "timestamps/test_files.py",
        "karaoke",
    ),
    Mutant(
        "timestamps/formats/textgrid.py",
        "if at < duration:",
        "if not out:",
        "timestamps/test_files.py",
        "praatio",
    ),
    Mutant(
        "timestamps/formats/ass_karaoke.py",
        "[_hundredths(cue.end)]",
        "[_hundredths(cue.words[-1].end)]",
        "timestamps/test_files.py",
        "karaoke",
    ),
    # Prosody and SSML
    Mutant(
        "prosody/pitch.py",
        "/ (after - before) / self._at(self.factors, place)",
        "/ (after - before)",
        "prosody/test_pitch.py",
        "shift",
    ),
    Mutant(
        "prosody/effects.py",
        "gain[place : place + fade] *= slope",
        "pass",
        "prosody/test_arguments.py",
        "silence_of_so_many",
    ),
    Mutant(
        "ssml/document.py",
        "if self.depth > MAX_DEPTH:",
        "if False:",
        "ssml/test_documents.py",
        "hostile",
    ),
    Mutant(
        "ssml/reader.py",
        "self.style, self.language = element.style, element.language",
        "self.language = element.language",
        "ssml/test_documents.py",
        "says_what_it_should",
    ),
    Mutant(
        "cli/speech_file.py",
        "self.times.add(chunk, begun)",
        "self.times.add(chunk)",
        "cli/test_subtitles.py",
        "resumed",
    ),
    Mutant(
        "cli/speech_file.py",
        "self.times = Subtitles(self.times.files, self.times.rate, previous.timestamps)",
        "pass",
        "cli/test_subtitles.py",
        "resumed",
    ),
    Mutant(
        "text/word_alignment.py",
        "_UNKNOWN = 0.9",
        "_UNKNOWN = 1.0",
        "text/test_word_alignment.py",
        "mark",
    ),
]


def main() -> int:
    """Run the faults and print a table; give the number of those that were not detected or not tried."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="faults whose file or test has this in its name")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a fault first")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in f"{mutant.file} {mutant.test}"]
    outcomes, began = [], time.monotonic()
    for name in HEAVY:
        import_module(name)
    assert "hf_vits" not in sys.modules
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = _copied(Path(folder))
        tests = dict.fromkeys((mutant.test, mutant.select) for mutant in chosen)
        broken = set() if options.trust else {test for test in tests if not _passes(tree, *test)}
        for mutant in chosen:
            test = (mutant.test, mutant.select)
            outcome = "fails anyway" if test in broken else _outcome(tree, mutant)
            outcomes.append(outcome)
            print(f"{outcome:16} {mutant.file:30} {' '.join(mutant.old.split())[:56]:57} {mutant.test}", flush=True)
    detected = outcomes.count("detected")
    print(f"{detected} of {len(outcomes)} faults are detected; {len(broken)} of {len(tests)} selections fail anyway.")
    print(f"{time.monotonic() - began:.0f} s")
    return min(1, len(outcomes) - detected + len(broken))


def _outcome(tree: Path, mutant: Mutant) -> str:
    """Say whether the tests fail with the fault: "detected", "NOT DETECTED", or why it could not be tried."""
    file = tree / "src" / "hf_vits" / mutant.file
    if not file.is_file():
        return "NO SUCH FILE"
    count = file.read_text(encoding="utf-8").count(mutant.old)
    if count != 1:
        return f"TEXT {count} TIMES"
    with _edited(file, mutant):
        code = _run(tree, mutant.test, mutant.select)
    return {0: "NOT DETECTED", 1: "detected", None: "detected"}.get(code, f"PYTEST SAYS {code}")


@contextmanager
def _edited(file: Path, mutant: Mutant) -> Iterator[None]:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def _run(tree: Path, test: str, select: str) -> int | None:
    """Run a test file up to its first failure in a child process; give pytest's code, `None` if it took too long.

    The child is forked from this process, which has imported what takes seconds, but nothing that may hold a fault.
    """
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _test(tree, test, select)
        finally:
            os._exit(code)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _test(tree: Path, test: str, select: str) -> int:
    """Run pytest in this process, on the copy, without a word."""
    os.setpgrp()  # so that what the tests start can be stopped with them
    os.chdir(tree)
    os.environ |= {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    sys.path.insert(0, str(tree / "src"))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    arguments = ["-q", "-x", "-p", "no:cacheprovider", f"tests/{test}", *(["-k", select] if select else [])]
    return int(pytest.main(arguments))


def _passes(tree: Path, test: str, select: str) -> bool:
    """Say whether tests pass without any fault; print it if they do not."""
    code = _run(tree, test, select)
    if code != 0:
        print(f"fails anyway: tests/{test} -k '{select}' (pytest says {code})", flush=True)
    return code == 0


def _copied(folder: Path) -> Path:
    """Copy what the tests need into a folder."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif source.is_file():
            shutil.copy2(source, target)
    return folder


if __name__ == "__main__":
    sys.exit(main())
