"""Sixteen ragged sentences of 2 to 20 s as one batch, against stock transformers' padded batch of the same weights.

Of LJSpeech's size with random weights; both are given the same durations and no noise, so that each computes the same
speech. Each item of a batch is also compared with what it is alone. One round takes minutes. Needs nothing beside
hf_vits. Run:

    python benchmarks/batch.py [--threads 2] [--rounds 1] [--smoke] [--json FILE]
"""

import argparse
import tempfile
from typing import NamedTuple

from meters.installed import check_installed, print_versions
from meters.paper_size import paper_size_model
from meters.turns import peak_gflops, seconds, write_json

PACKAGES = {"torch": "torch", "transformers": "transformers"}
"""What is imported, and what pip calls it."""

STOCK, OURS = "transformers", "hf_vits"

FULL, SMOKE = (16, 2.0, 20.0), (4, 0.5, 2.0)
"""Items, and seconds of the shortest and the longest."""


class Batch(NamedTuple):
    """What is spoken, each int64 (B, T_text): ids, mask, frames of every token; and frames of every item (B,)."""

    ids: object
    mask: object
    durations: object
    frames: object

    def item(self, i: int) -> "Batch":
        """Item `i` alone, without padding."""
        size = self.mask[i].sum()
        return Batch(*(part[i : i + 1, :size] for part in self[:3]), self.frames[i : i + 1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[2])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="fewer and shorter items")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    check_installed(PACKAGES)
    shape = SMOKE if options.smoke else FULL
    results = [measure(shape, options.rounds, threads, differ=not i) for i, threads in enumerate(options.threads)]
    write_json(options.json, results)


def measure(shape: tuple[int, float, float], rounds: int, threads: int, differ: bool) -> dict:
    """Prints the tables of one number of threads, with the differences if asked for; returns their figures."""
    import torch
    from meters.operations import gflop_per_second

    torch.set_num_threads(threads)
    print_versions(PACKAGES, threads)
    model = paper_size_model()
    per_second = model.config.sampling_rate / model.config.hop_length
    batch = ragged(*shape, per_second)
    speakers = {STOCK: stock_speaker(model), OURS: our_speaker(model)}
    shortest = batch.item(int(batch.frames.argmin()))
    alone = [speak(shortest) for speak in speakers.values()]  # which also warms both up
    peak, direct = peak_gflops(), gflop_per_second(model)
    speech, padded = batch.frames.sum().item() / per_second, len(batch.ids) * batch.frames.max().item() / per_second
    print(f"{len(batch.ids)} items, {speech:.1f} s of speech, {padded:.1f} s with padding; ", end="")
    print(f"median of {rounds} rounds; peak {peak:.0f} GFLOP/s (matmul 2048)")
    spoken = {}

    def keeping(name):
        def speak():
            spoken[name] = speakers[name](batch)

        return speak

    medians = seconds({name: keeping(name) for name in speakers}, rounds, warm_up=False)
    rows = {name: row(taken, speech, direct / peak, medians[STOCK]) for name, taken in medians.items()}
    print_rows(rows)
    results = {"threads": threads, "speech_s": speech, "padded_s": padded, "peak_gflops": peak, "batches": rows}
    if differ:
        apart = (alone[0] - alone[1]).abs().max().item()
        print(f"the shortest item alone: stock and ours differ by {apart:.1e}")
        results |= {"stock_alone_to_ours_alone": apart, "items": differences(model, batch, spoken, per_second)}
    return results


def ragged(items: int, shortest: float, longest: float, per_second: float) -> Batch:
    """Items evenly from the shortest to the longest, in no order, of about 1.5 frames a token; padded on the right."""
    import torch

    source = torch.Generator().manual_seed(0)
    frames = torch.linspace(shortest, longest, items).mul(per_second).long()[torch.randperm(items, generator=source)]
    sizes = frames * 2 // 3
    ids, mask, durations = (torch.zeros(items, int(sizes.max()), dtype=torch.long) for _ in range(3))
    for i, (size, total) in enumerate(zip(sizes.tolist(), frames.tolist(), strict=True)):
        longer = torch.randint(size, (total - size,), generator=source)
        ids[i, :size] = torch.randint(1, 178, (size,), generator=source)
        mask[i, :size] = 1
        durations[i, :size] = 1 + torch.bincount(longer, minlength=size)
    return Batch(ids, mask, durations, frames)


def our_speaker(model):
    """-> a function that speaks a batch without noise, (B, T_wav)."""
    import torch

    @torch.no_grad()
    def speak(batch: Batch):
        return model(batch.ids, batch.mask, durations=batch.durations, noise_scale=0.0).waveform

    return speak


def stock_speaker(model):
    """The same by transformers, with a duration predictor that returns given durations."""
    import torch
    import transformers

    class GivenDurations(torch.nn.Module):
        def forward(self, hidden, mask, speaker=None, **_):
            """-> log durations (B, 1, T_text), half a frame short: stock rounds up what it takes the exponential of."""
            return (self.durations - 0.5).clamp(min=0).log().unsqueeze(1)

    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        stock = transformers.VitsModel.from_pretrained(folder).eval()
    stock.noise_scale, stock.duration_predictor = 0.0, GivenDurations()

    @torch.inference_mode()
    def speak(batch: Batch):
        stock.duration_predictor.durations = batch.durations
        out = stock(batch.ids, attention_mask=batch.mask)
        assert torch.equal(out.sequence_lengths, batch.frames * model.config.hop_length), "stock speaks other lengths"
        return out.waveform

    return speak


def row(taken: float, speech: float, of_peak_at_real_time: float, stock: float) -> dict:
    return {
        "s": taken,
        "real_time_factor": taken / speech,
        "of_peak": of_peak_at_real_time * speech / taken,
        "times_stock": stock / taken,
    }


def print_rows(rows: dict[str, dict]):
    """The share of the peak is that of what had to be computed: the speech, directly, without padding."""
    print(f"{'batch by':<14} {'s':>8} {'RTF':>7} {'of peak':>8} {'x stock':>8}")
    for name, one in rows.items():
        print(f"{name:<14} {one['s']:>8.2f} {one['real_time_factor']:>7.3f}", end=" ")
        print(f"{one['of_peak']:>8.2f} {one['times_stock']:>8.2f}", flush=True)


def differences(model, batch: Batch, spoken: dict, per_second: float) -> list[dict]:
    """Prints how far each item of both batches is from what it is alone, spoken by ours; and how loud past its end."""
    print("largest difference of an item in the batch to the item alone, and loudest sample past its end")
    print(f"{'item s':>7} {'loudest':>8} {'hf_vits':>9} {'stock':>9} {'hf_vits past':>13} {'stock past':>11}")
    speak, rows = our_speaker(model), []
    for i, frames in enumerate(batch.frames.tolist()):
        alone, end = speak(batch.item(i))[0], frames * model.config.hop_length
        rows.append({"speech_s": frames / per_second, "loudest": alone.abs().max().item()})
        for name in (OURS, STOCK):
            within, past = spoken[name][i, :end], spoken[name][i, end:]
            rows[-1][f"{name}_difference"] = (within - alone).abs().max().item()
            rows[-1][f"{name}_past"] = past.abs().max().item() if len(past) else 0.0
        one = rows[-1]
        print(f"{one['speech_s']:>7.2f} {one['loudest']:>8.2f} {one[f'{OURS}_difference']:>9.1e}", end=" ")
        print(f"{one[f'{STOCK}_difference']:>9.1e} {one[f'{OURS}_past']:>13.1e} {one[f'{STOCK}_past']:>11.1e}")
    for name in (OURS, STOCK):
        print(f"{name}: at most {max(one[f'{name}_difference'] for one in rows):.1e}")
    return rows


if __name__ == "__main__":
    main()
