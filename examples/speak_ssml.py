"""Speak an SSML document, and print its words and marks with their times.

python examples/speak_ssml.py [file of a document]
"""

import sys
from pathlib import Path

import soundfile

from hf_vits import TextToSpeechPipeline

DOCUMENT = """<speak>
  Wait <break time="500ms"/> for <prosody rate="slow" pitch="+2st">the train</prosody>. <mark name="second"/>
  It is <emphasis>late</emphasis>, says the <sub alias="railway company">RC</sub>.
</speak>"""


def main(document):
    speech = TextToSpeechPipeline("default")(document, return_timestamps="word")
    soundfile.write("document.wav", speech["audio"], speech["sampling_rate"])
    for word in speech["timestamps"]:
        print(f"{word['start']:6.2f} s  {word['text']}")
    for mark in speech["marks"]:
        print(f"{mark['time']:6.2f} s  mark {mark['name']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_text(encoding="utf-8") if len(sys.argv) > 1 else DOCUMENT)
