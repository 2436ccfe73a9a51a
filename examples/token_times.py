"""Print the time of each word, from the frames and the characters of every token.

python examples/token_times.py [text]
"""

import sys

import torch

from hf_vits import VitsModel, VitsTokenizer, default_voice


@torch.no_grad()  # no gradients are needed
def main(text):
    voice = default_voice()
    model, tokenizer = VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice)
    inputs = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    spans = inputs.pop("offset_mapping")[0].tolist()
    ends = model(**inputs).durations[0].cumsum(0) * model.config.hop_length / model.config.sampling_rate

    end_of_span = {}
    for (first, last), end in zip(spans, ends.tolist(), strict=True):
        if text[first:last].strip():
            end_of_span[first, last] = end
    for (first, last), end in end_of_span.items():
        print(f"{end:6.2f} s  {text[first:last]}")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "The quick brown fox jumps over the lazy dog.")
