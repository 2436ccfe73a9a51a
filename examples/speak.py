"""Speak one text, then a batch of texts with one value of each control per text.

python examples/speak.py [folder or Hub name of a voice]
"""

import sys

import soundfile
import torch

from hf_vits import VitsModel, VitsTokenizer, default_voice


@torch.no_grad()  # no gradients are needed
def main(voice):
    model, tokenizer = VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice)
    rate = model.config.sampling_rate

    inputs = tokenizer("Hello there.", return_tensors="pt")
    out = model(**inputs, generator=torch.Generator().manual_seed(7))
    soundfile.write("hello.wav", out.waveform[0].numpy(), rate)

    texts = ["Slow and steady.", "Quick as lightning, and a little longer."]
    out = model(**tokenizer(texts, return_tensors="pt", padding=True), speaking_rate=[0.8, 1.4], noise_scale=0.5)
    for number, (waveform, length) in enumerate(zip(out.waveform, out.sequence_lengths, strict=True)):
        soundfile.write(f"text-{number}.wav", waveform[:length].numpy(), rate)
        print(f"text-{number}.wav: {length / rate:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else default_voice())
