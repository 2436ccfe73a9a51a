"""Which part of a fine-tuned voice loses words: each is replaced by that of the base voice, and errors are counted.

    python benchmarks/finetune_diagnosis.py TUNED --data FOLDER --texts sentences.txt --json out.json

TUNED is a voice of the base's shapes, with a posterior encoder, such as a checkpoint of `hf-vits train`. FOLDER holds
`metadata.csv`, the recordings, and `eval.txt`. Without `--texts` twenty plain sentences are spoken. All rows have the
same draws.

- parts of the base: the durations, flow or decoder of the base in the tuned voice, and the other way round
- noise: the tuned voice with less noise in latents, or in durations
- length: the tuned voice's sentences of up to six words, and those of nine words or more
- re-synthesis: recordings of the evaluation set, and speech of the base, through posterior encoder and decoder; and
  the recordings through the tuned encoder and the base's decoder

At last, in a line each:

- pitch: how far that of the recordings is in the latents, as F0 (pyin) of what a decoder makes of them over F0 of the
  recordings: correlation and slope, both 1 if nothing is lost
- lines: how far the spectrum at multiples of the frame rate, 1 to 8 kHz, stands above its surroundings, in dB
- alignment: by how much the tuned voice's alignment of recordings differs from the base's durations, scaled to the
  same sum, as the mean over tokens in milliseconds

Word errors are those of Whisper tiny.en, with a 95 % interval by bootstrap over sentences. Needs
"hf_vits[train,phonemes,onnx,bench]" and jiwer==4.0.0.
"""

import argparse
import copy
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from meters import speech
from meters.installed import check_installed, print_versions
from meters.recordings import read_data
from meters.speech import SENTENCES, evaluator, measured, word_errors

SHORT, LONG = 6, 9
"""Words of short sentences at most, and of long ones at least."""


class Voice:
    """A model, its tokenizer, and what it makes of texts and recordings."""

    def __init__(self, model, tokenizer, seed: int):
        from hf_vits.modules.spectrogram import Spectrogram

        self.model, self.tokenizer, self.seed = model.eval(), tokenizer, seed
        self.spectrogram = Spectrogram(model.config)

    def generator(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed(1000 * self.seed + number)

    def outputs(self, texts: Sequence[str], durations: Sequence[torch.Tensor] | None = None, **options) -> list:
        """Each text with draws of its own -> outputs of the model."""
        with torch.no_grad():
            return [
                self.model(
                    **self.tokenizer(text, return_tensors="pt"),
                    generator=self.generator(number),
                    **({} if durations is None else {"durations": durations[number]}),
                    **options,
                )
                for number, text in enumerate(texts)
            ]

    def speak(self, texts: Sequence[str], **options) -> list[np.ndarray]:
        return [one.waveform[0].clamp(-1, 1).numpy() for one in self.outputs(texts, **options)]

    @torch.no_grad()
    def resynthesize(self, waveforms: Iterable[np.ndarray]) -> list[np.ndarray]:
        model, hop, made = self.model, self.model.config.hop_length, []
        for number, waveform in enumerate(waveforms):
            frames = len(waveform) // hop
            magnitudes = self.spectrogram(torch.from_numpy(waveform[None, None, : frames * hop]))
            features = self.spectrogram.mel(magnitudes) if model.config.posterior_input == "mel" else magnitudes
            latents = model.posterior_encoder(features, torch.ones(1, 1, frames), generator=self.generator(number))[0]
            made.append(model.decode(latents)[0].flatten().clamp(-1, 1).numpy())
        return made

    def with_parts(self, other: "Voice", *names: str) -> "Voice":
        """The same voice with modules of another one."""
        model = copy.deepcopy(self.model)
        for name in names:
            getattr(model, name).load_state_dict(getattr(other.model, name).state_dict(), strict=False)
        return Voice(model, self.tokenizer, self.seed)

    @torch.no_grad()
    def aligned(self, text: str, waveform: np.ndarray) -> torch.Tensor:
        """A text and its recording -> frames of each token, (T_text,)."""
        from hf_vits.data.dataset import Clip, collate
        from hf_vits.modules.masks import frames_of_token
        from hf_vits.training.generator import VitsGenerator

        generator, hop = VitsGenerator(self.model).eval(), self.model.config.hop_length
        ids = self.tokenizer(text).input_ids
        batch = collate([(Clip(0, ids, len(waveform)), torch.from_numpy(waveform))])
        noise = [self.generator(0)]
        index = generator.align(batch, generator.posterior(batch, noise), noise).token_index
        return frames_of_token(index, batch.waveform_lengths // hop, len(ids))[0].double()


class Report:
    """Rows of word errors as they come."""

    def __init__(self, threads: int, rate: int, path: Path | None):
        self.words, self.rate, self.path, self.rows = evaluator(threads, "wer"), rate, path, []
        print("| speech | word errors | 95 % interval |\n|---|---|---|", flush=True)

    def add(self, name: str, texts: Sequence[str], waveforms: Sequence[np.ndarray], show: bool = True) -> list[dict]:
        rows = measured(self.words, texts, waveforms, self.rate)
        if show:
            self.show(name, rows)
        return rows

    def show(self, name: str, rows: list[dict]) -> None:
        from hf_vits.evaluation.report import Estimate

        errors, figure = word_errors(rows), Estimate.of(*zip(*(row["wer"] for row in rows), strict=True))
        print(
            f"| {name} | {100 * errors.rate:.1f} % ({errors.wrong} of {errors.words}) | "
            f"{100 * figure.low:.1f} to {100 * figure.high:.1f} % |",
            flush=True,
        )
        self.rows.append(
            {"speech": name, **errors._asdict(), "rate": errors.rate, "low": figure.low, "high": figure.high}
        )
        self.save(rows=self.rows)

    def save(self, **report) -> None:
        if self.path:
            self.path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    arguments = parsed()
    check_installed(speech.PACKAGES["wer"])
    torch.set_num_threads(arguments.threads)
    print_versions(speech.PACKAGES["wer"], arguments.threads)
    from hf_vits import VitsModel, VitsTokenizer, default_voice
    from hf_vits.data.audio import read_audio

    folder = arguments.base or default_voice()
    tokenizer = VitsTokenizer.from_pretrained(folder)
    base = Voice(VitsModel.from_pretrained(folder), tokenizer, arguments.seed)
    tuned = Voice(VitsModel.from_pretrained(arguments.tuned), tokenizer, arguments.seed)
    if tuned.model.missing_for_training():
        raise SystemExit(f"{arguments.tuned} has no posterior encoder; give a voice that was trained.")
    texts = [line for line in map(str.strip, (arguments.texts or "\n".join(SENTENCES)).split("\n")) if line]
    report = Report(arguments.threads, base.model.config.sampling_rate, arguments.json)
    rows_of_parts(report, base, tuned, texts)
    rows_of_recordings(report, base, tuned, texts, arguments.data, read_audio)


def rows_of_parts(report: Report, base: Voice, tuned: Voice, texts: list[str]) -> None:
    report.add("base", texts, base.speak(texts))
    rows = report.add("tuned", texts, tuned.speak(texts))
    for name, chosen in (
        (
            f"tuned, up to {SHORT} words",
            [row for text, row in zip(texts, rows, strict=True) if len(text.split()) <= SHORT],
        ),
        (
            f"tuned, from {LONG} words",
            [row for text, row in zip(texts, rows, strict=True) if len(text.split()) >= LONG],
        ),
    ):
        if chosen:
            report.show(name, chosen)
    durations = [output.durations for output in base.outputs(texts)]
    report.add("tuned, durations of the base", texts, tuned.speak(texts, durations=durations))
    for scale, duration_scale in ((0.0, 0.8), (0.333, 0.8), (0.667, 0.0), (0.0, 0.0)):
        spoken = tuned.speak(texts, noise_scale=scale, noise_scale_duration=duration_scale)
        report.add(f"tuned, noise {scale:g}, of durations {duration_scale:g}", texts, spoken)
    for names in (("flow", "duration_predictor"), ("decoder",), ("flow",), ("duration_predictor",)):
        spoken = tuned.with_parts(base, *names).speak(texts)
        report.add(f"tuned, {' and '.join(names)} of the base", texts, spoken)


def rows_of_recordings(report: Report, base: Voice, tuned: Voice, texts: list[str], data: Path, read_audio) -> None:
    recordings, _ = read_data(data)
    prompts = [recording.text for recording in recordings]
    recorded = [read_audio(recording.path, report.rate) for recording in recordings]
    report.add("recordings", prompts, recorded)
    own = tuned.resynthesize(recorded)
    report.add("recordings, re-synthesized by the tuned voice", prompts, own)
    through_base = tuned.with_parts(base, "decoder").resynthesize(recorded)
    report.add("recordings, through the tuned encoder and the base's decoder", prompts, through_base)
    report.add("base speech, re-synthesized by the tuned voice", texts, tuned.resynthesize(base.speak(texts)))
    report.add("evaluation texts, base", prompts, base.speak(prompts))
    report.add("evaluation texts, tuned", prompts, tuned.speak(prompts))
    pitch = {name: pitch_kept(recorded, made, report.rate) for name, made in (("tuned", own), ("base", through_base))}
    hop = base.model.config.hop_length
    lines = {
        name: frame_rate_lines(voice.speak(texts), report.rate, hop)
        for name, voice in (("tuned", tuned), ("base", base))
    }
    print()
    for name, (correlation, slope) in pitch.items():
        print(f"Pitch of recordings, through the {name} decoder: correlation {correlation:.2f}, slope {slope:.2f}.")
    print(f"Lines at the frame rate: tuned voice {lines['tuned']:.1f} dB, base {lines['base']:.1f} dB.")
    differences = []
    for prompt, waveform, output in zip(prompts, recorded, base.outputs(prompts), strict=True):
        frames, expected = tuned.aligned(prompt, waveform), output.durations[0].double()
        ends, scaled = frames.cumsum(0), (expected * (frames.sum() / expected.sum())).cumsum(0)
        differences.append((ends - scaled).abs())
    hop_ms = 1000 * hop / report.rate
    moved = float(torch.cat(differences).mean()) * hop_ms
    print(f"Tokens of recordings end {moved:.0f} ms from where the base's durations, scaled, have them.")
    report.save(rows=report.rows, pitch=pitch, frame_rate_lines_db=lines, alignment_difference_ms=moved)


def pitch_kept(recorded: Sequence[np.ndarray], made: Sequence[np.ndarray], rate: int) -> tuple[float, float]:
    """Recordings and what was made of them -> correlation and slope of F0 in octaves, where both are voiced."""
    tracks = [pitch_tracks(waveforms, rate) for waveforms in (recorded, made)]
    pairs = [
        np.stack([one[: min(len(one), len(other))], other[: min(len(one), len(other))]])
        for one, other in zip(*tracks, strict=True)
    ]
    octaves = np.log2(np.concatenate(pairs, axis=1))
    octaves = octaves[:, np.isfinite(octaves).all(axis=0)]
    return float(np.corrcoef(octaves)[0, 1]), float(np.polyfit(*octaves, 1)[0])


def pitch_tracks(waveforms: Sequence[np.ndarray], rate: int) -> list[np.ndarray]:
    """Waveforms of one speaker -> F0 of each in hertz every 256 samples, within 0.9 octaves of the median."""
    import librosa

    from hf_vits.prosody.fundamental import fundamental_frequency

    voiced = np.concatenate([fundamental_frequency(waveform, rate) for waveform in waveforms])
    low, high = np.median(voiced[voiced > 0]) * 2.0 ** np.array([-0.9, 0.9])
    settings = {"fmin": low, "fmax": high, "sr": rate, "frame_length": 2048, "hop_length": 256}
    return [librosa.pyin(waveform.astype("float32"), **settings)[0] for waveform in waveforms]


def frame_rate_lines(waveforms: Sequence[np.ndarray], rate: int, hop_length: int) -> float:
    """Speech -> how far its mean spectrum at multiples of the frame rate is above its surroundings, in dB."""
    from scipy.signal import welch

    size = 8192
    decibels = 10 * np.log10(sum(welch(waveform, rate, nperseg=size)[1] for waveform in waveforms))
    frame_rate, above = rate / hop_length, []
    for number in range(round(1000 / frame_rate), int(min(8000, rate / 2.5) / frame_rate)):
        place = round(number * frame_rate * size / rate)
        above.append(decibels[place - 1 : place + 2].max() - np.median(decibels[place - 12 : place + 13]))
    return float(np.mean(above))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tuned", help="the fine-tuned voice")
    parser.add_argument("--base", help="the voice it began as; the default voice without it")
    parser.add_argument("--data", type=Path, required=True, help="folder of recordings")
    parser.add_argument("--texts", type=lambda path: Path(path).read_text(encoding="utf-8"), help="file of sentences")
    parser.add_argument("--seed", type=int, default=0, help="of all draws")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch and Whisper")
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
