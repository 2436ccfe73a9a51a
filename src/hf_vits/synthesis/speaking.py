"""Texts to waveforms, several at once, each as the pipeline says it alone."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from hf_vits.modeling_vits import VitsModel
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.quiet import no_progress_bar, untold
from hf_vits.randomness import seed_of
from hf_vits.resolve import resolve_voice
from hf_vits.tokenization_vits import VitsTokenizer


def load_voice(name: str, device: torch.device | str = "cpu") -> TextToSpeechPipeline:
    """Load a voice by any name that [`resolve_voice`] takes, ready to speak."""
    folder = resolve_voice(name)
    with no_progress_bar():
        model = VitsModel.from_pretrained(folder)
    return TextToSpeechPipeline(model, VitsTokenizer.from_pretrained(folder), device=device)


def row_generator(seed: int, row: int) -> torch.Generator:
    """
    The source of a row's noise: `pipe(text, generator=row_generator(seed, row))` says it as [`synthesize`] does.

    It is one of the CPU, whose numbers are the same beside every device.
    """
    return torch.Generator().manual_seed(seed_of(seed, row))


@torch.no_grad()
def speak(
    pipe: TextToSpeechPipeline,
    texts: Sequence[str],
    speakers: Sequence[int | None],
    generators: Sequence[torch.Generator],
    controls: Mapping[str, float | None],
    pause: float = 0.0,
) -> list[np.ndarray]:
    """
    Waveforms float32 (T_wav,) of texts, each what `pipe(text, speaker_id=…, generator=…)` gives, to rounding.

    The first sentences of all texts are spoken together, then the second ones, and so on: a text takes its noise in the
    order of its sentences.
    """
    with untold():
        sentences = [list(pipe.preprocess(text)) for text in texts]
    spoken: list[list[dict]] = [[] for _ in texts]
    for number in range(max(map(len, sentences), default=0)):
        items = [item for item, own in enumerate(sentences) if number < len(own)]
        batch = {
            name: pad_sequence([sentences[item][number][name][0] for item in items], batch_first=True)
            for name in ("input_ids", "attention_mask")
        }
        who = [speakers[item] for item in items]
        out = pipe.model(
            **batch,
            **controls,
            speaker_id=None if None in who else who,
            generator=[generators[item] for item in items],
        )
        for place, item in enumerate(items):
            one = slice(place, place + 1)
            spoken[item].append({"waveform": out.waveform[one], "sequence_lengths": out.sequence_lengths[one]})
    return [pipe.postprocess(pieces, pause)["audio"] for pieces in spoken]
