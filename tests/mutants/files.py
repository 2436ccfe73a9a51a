"""Faults of what is read and written: data, checkpoints, reports, settings."""

from mutants.mutant import Mutant

MUTANTS = [
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
]
