"""Parts of VITS2, each alone and all together, against plain VITS: new small voices trained on the same recordings.

Every run has the same seed, steps and evaluation set; the table has the last evaluation of each. Steps as few as these
say what a part changes, not what it is good for in a whole training. Run:

    python benchmarks/vits2_ablation.py --data FOLDER [--steps 2000] [--output ablation] [--json FILE]
"""

import argparse
import json
from pathlib import Path

from meters.turns import write_json

SIZES = {"hidden_size": 96, "ffn_dim": 384, "flow_size": 96, "num_hidden_layers": 3, "upsample_initial_channel": 128}
DETERMINISTIC = {"use_stochastic_duration_prediction": False}
PARTS = {
    "VITS": ({}, {}),
    "deterministic durations": (DETERMINISTIC, {}),
    "adversarial durations": (DETERMINISTIC, {"duration_adversarial_steps": 0.1}),  # of all steps
    "noise in the alignment": ({}, {"alignment_noise_scale": 0.01}),
    "speaker in the text encoder": ({"text_encoder": {"speaker_layer": 2}}, {}),
    "transformer in the flow": ({"flow": {"transformer": "pre_conv"}}, {}),
    "mel posterior": ({"posterior_input": "mel"}, {}),
}
"""Fields of the configuration, and settings of the training, by part."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="recordings with metadata.csv")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--output", default="ablation", metavar="FOLDER", help="runs, which are resumed")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    every = tuple({key: value for part in PARTS.values() for key, value in part[i].items()} for i in (0, 1))
    rows = []
    for name, (fields, settings) in {**PARTS, "VITS2": every}.items():
        found = run(options, name, dict(fields), dict(settings))
        if found is not None:
            rows.append({"part": name, **found})
            print(f"{name:<28} " + "  ".join(f"{key} {value:.4g}" for key, value in found.items()), flush=True)
    write_json(options.json, rows)


def run(options, name: str, fields: dict, settings: dict) -> dict | None:
    """Trains a voice; returns its last evaluation, or nothing for a part that needs several speakers."""
    from hf_vits import VitsConfig
    from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
    from hf_vits.training import Columns, ModelInitialization, VitsTrainer, VitsTrainingArguments, read_folder
    from hf_vits.training.initialization import build_tokenizer

    train, evaluation = read_folder(options.data)
    speakers = sorted(set(train["speaker"])) if "speaker" in train.column_names else []
    if len(speakers) < 2 and fields.pop("text_encoder", None) and not fields:
        return None
    if len(speakers) > 1:
        fields |= {"num_speakers": len(speakers), "speaker_embedding_size": 64, "speaker_names": speakers}
    if "duration_adversarial_steps" in settings:
        settings["duration_adversarial_steps"] = int(settings["duration_adversarial_steps"] * options.steps)
    tokenizer = build_tokenizer(train["text"], phonemize=False)
    config = VitsConfig(vocab_size=len(tokenizer), sampling_rate=22_050, **SIZES, **fields)
    start = ModelInitialization.from_scratch(config, VitsDiscriminatorConfig().scale_channels_by(0.25), seed=1)
    folder = Path(options.output) / name.replace(" ", "_")
    steps = {"max_steps": options.steps, "eval_steps": options.steps, "save_steps": max(1, options.steps // 4)}
    args = VitsTrainingArguments(str(folder), per_device_train_batch_size=8, report_to=[], **steps, **settings)
    columns = Columns(speaker="speaker") if len(speakers) > 1 else None
    VitsTrainer(start, args, train, evaluation, tokenizer, columns).train(resume_from_checkpoint="latest")
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    last = next(line for line in reversed(lines) if "eval/mel" in line)
    weights = sum(parameter.numel() for parameter in start.model.parameters())
    return {"weights": weights, **{key: value for key, value in last.items() if key.startswith("eval/")}}


if __name__ == "__main__":
    main()
