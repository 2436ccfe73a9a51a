"""The decoder alone, latents to waveform, against transformers, onnxruntime and OpenVINO on the same weights.

At several lengths, on the machine as it is and beside processes that keep a core busy each. Of LJSpeech's size with
random weights, or of a voice without speakers; all have their weight norm folded. Needs onnxruntime and onnx beside
hf_vits; OpenVINO where it is installed, bfloat16 where the processor multiplies in it. Run:

    python benchmarks/decode.py [--threads 1 2] [--frames 60 100 150 200 300 450 600] [--busy 0 1] [--rounds 7]
        [--voice default] [--profile] [--json FILE]
"""

import argparse
import importlib.util
import math
from functools import partial

from meters.busy import busy, machine
from meters.installed import check_installed, print_versions
from meters.paper_size import paper_size_model
from meters.turns import peak_gflops, spreads, write_json

PACKAGES = {
    "torch": "torch",
    "transformers": "transformers",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
}
"""What is imported, and what pip calls it."""

STOCK, ONNX, OPENVINO, OURS = "transformers", "onnxruntime", "openvino", "hf_vits"
OTHERS_BF16, OURS_BF16 = "openvino bf16", "hf_vits bf16"

FRAMES = [60, 100, 150, 200, 300, 450, 600]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, nargs="+", default=FRAMES)
    parser.add_argument("--busy", type=int, nargs="+", default=[0], help="processes that compute beside it")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--voice", help="a folder, a Hub name, or default; without it, LJSpeech's size")
    parser.add_argument("--profile", action="store_true", help="print where ours spends its time on one thread")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    check_installed(PACKAGES)
    packages = {**PACKAGES, **({"openvino": "openvino"} if importlib.util.find_spec("openvino") else {})}
    results = []
    for threads in options.threads:
        print_versions(packages, threads)
        functions, model = decoders(options.voice, threads)
        for others in options.busy:
            print(
                f"{machine()}; {threads} threads, {others} busy processes beside it; peak {peak_gflops():.0f} GFLOP/s"
            )
            with busy(others):
                rows = [measure(functions, model, frames, options.rounds) for frames in options.frames]
            print_means(rows)
            results.append({"threads": threads, "busy": others, "machine": machine(), "lengths": rows})
        if options.profile and threads == 1:  # the profiler sees one
            from meters.shares import print_shares

            print_shares("time of ours", partial(functions[OURS], latents_of(model, 300)))
    write_json(options.json, results)


def measure(functions: dict, model, frames: int, rounds: int) -> dict:
    """Prints the rows of one length; returns its figures."""
    latents = latents_of(model, frames)
    taken = spreads({name: lambda run=run: run(latents) for name, run in functions.items()}, rounds)
    speech = frames * model.config.hop_length / model.config.sampling_rate
    rows = {}
    for name, (median, late) in taken.items():
        rows[name] = {
            "ms": 1e3 * median,
            "p90_ms": 1e3 * late,
            "p90_over_median": late / median,
            "real_time_factor": median / speech,
            **{f"times_{peer}": taken[peer][0] / median for peer in (STOCK, ONNX, OPENVINO) if peer in taken},
        }
    print(f"{frames} frames, {speech:.2f} s of speech")
    for name, row in rows.items():
        ratios = "  ".join(f"{value:.2f}x {peer.removeprefix('times_')}" for peer, value in list(row.items())[4:])
        print(
            f"  {name:<14} {row['ms']:7.1f} ms, 90 % {row['p90_over_median']:4.2f}x, RTF {row['real_time_factor']:.4f}",
            end="",
        )
        print(f"  {ratios}", flush=True)
    return {"frames": frames, "decoders": rows}


def print_means(rows: list[dict]):
    """Prints how many times faster ours is than each peer: the least of all lengths, and the geometric mean."""
    for name in (OURS, OURS_BF16):
        ratios = [row["decoders"][name] for row in rows if name in row["decoders"]]
        for peer in ("transformers", "onnxruntime", "openvino"):
            values = [ratio[f"times_{peer}"] for ratio in ratios if f"times_{peer}" in ratio]
            if values:
                mean = math.exp(sum(map(math.log, values)) / len(values))
                print(f"{name} over {peer}: {min(values):.2f}x at least, {mean:.2f}x in the geometric mean")


def latents_of(model, frames: int):
    """-> latents (1, C, T_spec), the same for each length."""
    import torch

    return torch.randn(1, model.config.flow_size, frames, generator=torch.Generator().manual_seed(1))


def load(voice: str | None):
    """-> a model of ours, of LJSpeech's size if no voice is named."""
    from hf_vits import VitsModel, default_voice

    if voice is None:
        return paper_size_model()
    return VitsModel.from_pretrained(default_voice() if voice == "default" else voice).eval()


def decoders(voice: str | None, threads: int):
    """-> functions from latents to what each decoder makes of them, by name, and the model of ours."""
    import torch
    from meters.onnx_decoder import onnx_decoder

    from hf_vits.utils.precision import multiplies_in_bf16

    torch.set_num_threads(threads)
    model = load(voice)
    graph, stock = onnx_decoder(model.decoder), stock_decoder(model)
    functions = {} if stock is None else {STOCK: torch.inference_mode()(stock)}
    functions |= {ONNX: in_onnxruntime(graph, threads)}
    if importlib.util.find_spec("openvino"):
        functions[OPENVINO] = in_openvino(graph, threads, "f32")
    functions[OURS] = torch.no_grad()(model.decode)
    if multiplies_in_bf16(on_cpu=True):
        if OPENVINO in functions:
            functions[OTHERS_BF16] = in_openvino(graph, threads, "bf16")
        reduced = load(voice)
        reduced.decoder.to(torch.bfloat16)
        functions[OURS_BF16] = torch.no_grad()(reduced.decode)
    return functions, model


def in_onnxruntime(graph: bytes, threads: int):
    """-> the decoder as a function of latents, in onnxruntime."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(graph, settings, providers=["CPUExecutionProvider"])
    return lambda latents: session.run(None, {"latents": latents.numpy()})[0]


def in_openvino(graph: bytes, threads: int, precision: str):
    """-> the decoder as a function of latents, in OpenVINO."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(graph), "CPU", settings)
    return lambda latents: compiled({"latents": latents.numpy()})


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
