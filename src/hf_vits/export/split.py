"""Target `split`: two graphs, text to latents and windows of latents to samples, to stream with onnxruntime."""

from collections.abc import Iterator
from pathlib import Path

from hf_vits.conversion.unsupported import FIRST, SECOND
from hf_vits.export import Voice, target


@target("split", "text-to-latents.onnx and decode-window.onnx, to stream with onnxruntime", library="onnx")
def write(voice: Voice, folder: Path) -> Iterator[str]:
    """Write both graphs and the tokenizer; yield notes."""
    import torch

    from hf_vits.export.graph import OnnxDecoder, TextToLatents
    from hf_vits.export.onnx_graph import TEXT, finished, text_inputs, traced
    from hf_vits.export.tokens import tokens_of
    from hf_vits.export.verify import verify_split

    config = voice.model.config
    context = config.decoder_config.receptive_field
    metadata = {
        "context_frames": context,
        "hop_length": config.hop_length,
        "sample_rate": config.sampling_rate,
        "n_speakers": config.num_speakers,
        "noise_scale": config.noise_scale,
        "length_scale": 1 / config.speaking_rate,
        "noise_scale_duration": config.noise_scale_duration,
    }
    inputs = text_inputs(config)
    outputs = {"latents": {0: "batch_size", 2: "frames"}, "durations": TEXT}
    first = finished(traced(TextToLatents(voice.model, voice.language), inputs, outputs), voice.precision, metadata)
    inputs = {
        "latents": (torch.zeros(2, config.flow_size, 5), outputs["latents"]),
        **({"sid": inputs["sid"]} if "sid" in inputs else {}),
    }
    outputs = {"samples": {0: "batch_size", 2: "time"}}
    second = finished(traced(OnnxDecoder(voice.model, voice.language), inputs, outputs), voice.precision, metadata)
    yield verify_split(voice, tokens_of(voice.tokenizer).used, first, second, context)
    (folder / FIRST).write_bytes(first)
    (folder / SECOND).write_bytes(second)
    voice.tokenizer.save_pretrained(folder)
    yield (
        f"A frame is {config.hop_length} samples and depends on {context} frames to either side: decode windows with "
        f"that context and cut its samples off (`context_frames` in the metadata of {SECOND})."
    )
