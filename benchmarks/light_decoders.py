"""Decoders that could say a voice's latents, against its own: time of each at several lengths, in turns.

Weights of the new decoders are random; their time does not depend on them. Run:

    python benchmarks/light_decoders.py [--voice default] [--threads 1 2] [--frames 60 150 300 600] [--rounds 15]
        [--json FILE]
"""

import argparse
from functools import partial
from statistics import median, quantiles

from meters.installed import print_versions
from meters.turns import turns, write_json

DECODERS = {
    "vocos": {"type": "vocos"},
    "vocos, 1.8 M": {"type": "vocos", "channels": 192, "intermediate_channels": 576, "layers": 6},
    "istft": {"type": "istft"},
    "multi-band": {"type": "multiband_istft"},
    "mini multi-band": {"type": "multiband_istft", "upsample_initial_channel": 256},
    "multi-stream": {"type": "multistream_istft"},
    "multi-band, 1.7 M": {
        "type": "multiband_istft",
        "upsample_initial_channel": 256,
        "resblock_type": "2",
        "resblock_kernel_sizes": [3, 5, 7],
        "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]],
    },
}
"""Configurations by name."""

OWN = "its own"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="default", help="a folder, a Hub name, or default")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, nargs="+", default=[60, 150, 300, 600])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    results = [measure(options, threads) for threads in options.threads]
    write_json(options.json, results)


def measure(options, threads: int) -> dict:
    """Prints the table of one number of threads; returns its figures."""
    import torch

    from hf_vits.training.completed_base import load_base
    from hf_vits.training.distillation import with_decoder

    torch.set_num_threads(threads)
    print_versions({"torch": "torch"}, threads)
    voice = load_base(options.voice).model.eval()
    models = {OWN: voice} | {name: with_decoder(voice, fields, seed=0).eval() for name, fields in DECODERS.items()}
    print(f"{'decoder':<18} {'weights':>9} {'frames':>7} {'ms':>8} {'p90':>8} {'x own':>6}")
    rows = []
    for frames in options.frames:
        latents = torch.randn(1, voice.config.flow_size, frames, generator=torch.Generator().manual_seed(frames))
        taken = {name: [] for name in models}
        with torch.inference_mode():
            functions = {name: partial(model.decode, latents) for name, model in models.items()}
            for name, seconds, _ in turns(functions, options.rounds):
                taken[name].append(1e3 * seconds)
        own = median(taken[OWN])
        for name, times in taken.items():
            weights = sum(parameter.numel() for parameter in models[name].decoder.parameters())
            row = {"decoder": name, "weights": weights, "frames": frames, "ms": median(times)}
            row |= {"p90": quantiles(times, n=10)[-1], "times_own": own / median(times)}
            rows.append(row)
            print(f"{name:<18} {weights:>9,} {frames:>7} {row['ms']:>8.1f} {row['p90']:>8.1f} {row['times_own']:>6.2f}")
    return {"threads": threads, "rows": rows}


if __name__ == "__main__":
    main()
