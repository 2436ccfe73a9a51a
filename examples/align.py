"""Print when each word of a recording is said.

python examples/align.py voice recording.flac what was said
"""

import sys

from hf_vits import ForcedAligner


def main(voice, recording, text):
    alignment = ForcedAligner(voice).align(recording, text)
    for word in alignment.words:
        print(f"{word['start']:6.2f} {word['end']:6.2f} s  {word['confidence']:4.0%}  {word['text']}")
    print(f"The text fits with a confidence of {alignment.confidence:.0%}.")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], " ".join(sys.argv[3:]))
