"""The decoder alone, latents to waveform, against stock transformers and onnxruntime on the same weights.

Of LJSpeech's size with random weights, or of a voice without speakers. All have their weight norm folded. Needs
onnxruntime and onnx beside hf_vits. Run:

    python benchmarks/decode.py [--threads 1 2] [--frames 300] [--rounds 5] [--voice default] [--profile] [--json FILE]
"""

import argparse

from meters.installed import check_installed, print_versions
from meters.paper_size import paper_size_model
from meters.turns import peak_gflops, seconds, write_json

PACKAGES = {
    "torch": "torch",
    "transformers": "transformers",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
}
"""What is imported, and what pip calls it."""

STOCK, ONNX, OURS, LEARNING = "transformers", "onnxruntime", "hf_vits", "hf_vits, to learn"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--voice", help="a folder, a Hub name, or default; without it, LJSpeech's size")
    parser.add_argument("--profile", action="store_true", help="print where ours spends its time on one thread")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    check_installed(PACKAGES)
    results = [measure(options, threads) for threads in options.threads]
    write_json(options.json, results)


def measure(options, threads: int) -> dict:
    """Prints the table of one number of threads; returns its figures."""
    import torch
    from meters.operations import gflop

    torch.set_num_threads(threads)
    print_versions(PACKAGES, threads)
    model = load(options.voice)
    functions, latents = decoders(model, options.frames, threads)
    waveforms = {name: torch.as_tensor(function()) for name, function in functions.items()}
    exact = model.decoder.double()(latents.double())
    model.decoder.float()
    peak, direct = peak_gflops(), gflop(functions[LEARNING], model.decoder)
    speech = options.frames * model.config.hop_length / model.config.sampling_rate
    print(f"{options.frames} frames, {speech:.2f} s of speech, {direct:.1f} GFLOP as direct convolution", end="; ")
    print(f"peak {peak:.0f} GFLOP/s (matmul 2048)")
    print(
        f"{'decoder':<17} {'ms':>7} {'RTF':>6} {'GFLOP/s':>8} {'of peak':>8} {'x stock':>8} {'x onnx':>7} {'error':>8}"
    )
    medians, rows = seconds(functions, options.rounds), {}
    for name, taken in medians.items():
        rows[name] = {
            "ms": 1e3 * taken,
            "real_time_factor": taken / speech,
            "direct_gflops": direct / taken,
            "of_peak": direct / taken / peak,
            "times_stock": medians[STOCK] / taken if STOCK in medians else float("nan"),
            "times_onnxruntime": medians[ONNX] / taken,
            "error": (waveforms[name] - exact).abs().max().item(),
        }
        formats = ("7.0f", "6.3f", "8.0f", "8.2f", "8.2f", "7.2f", "8.1e")
        cells = (f"{value:{form}}" for value, form in zip(rows[name].values(), formats, strict=True))
        print(f"{name:<17}", *cells, flush=True)
    if options.profile and threads == 1:  # the profiler sees one
        from meters.shares import print_shares

        print_shares("time of ours", functions[OURS])
    return {"threads": threads, "frames": options.frames, "peak_gflops": peak, "decoders": rows}


def load(voice: str | None):
    """-> a model of ours, of LJSpeech's size if no voice is named."""
    from hf_vits import VitsModel, default_voice

    if voice is None:
        return paper_size_model()
    return VitsModel.from_pretrained(default_voice() if voice == "default" else voice).eval()


def decoders(model, frames: int, threads: int):
    """-> functions that decode the same latents, by name, and the latents (1, C, T_spec)."""
    import onnxruntime
    import torch
    from meters.onnx_decoder import onnx_decoder

    latents = torch.randn(1, model.config.flow_size, frames, generator=torch.Generator().manual_seed(1))
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(onnx_decoder(model.decoder), settings, providers=["CPUExecutionProvider"])
    feed = {"latents": latents.numpy()}

    def learning():
        with torch.enable_grad():
            return model.decoder(latents).detach()

    functions = {
        ONNX: lambda: session.run(None, feed)[0],
        OURS: torch.no_grad()(lambda: model.decode(latents)),
        LEARNING: learning,
    }
    stock = stock_decoder(model)
    if stock is not None:
        functions = {STOCK: torch.inference_mode()(lambda: stock(latents)), **functions}
    return functions, latents


def stock_decoder(model):
    """The same weights in transformers' decoder, its weight norm folded; None for blocks that it does not have."""
    import transformers
    from transformers.models.vits.modeling_vits import VitsHifiGan

    if model.config.resblock_type != "1":
        return None
    wanted = {k: v for k, v in model.config.to_dict().items() if k in transformers.VitsConfig().to_dict()}
    stock = VitsHifiGan(transformers.VitsConfig(**wanted)).eval()
    stock.load_state_dict(model.decoder.state_dict())
    return stock


if __name__ == "__main__":
    main()
