"""JSON (.json): the lists of timestamps as the pipeline returns them, and the duration of the speech.

{"duration": 1.25, "sentence": [{"text": "Hello.", "start": 0.0, "end": 1.25}], "word": […], …}
"""

import json

from hf_vits.timestamps.formats import FORMATS, SpeechTimes


@FORMATS.register("json")
def json_lists(speech: SpeechTimes) -> str:
    """
    Return all timestamps of speech as JSON, one per line.

    Args:
        speech ([`SpeechTimes`]):
            The timestamps of a text.
    """
    units = {"sentence": speech.sentences, "word": speech.words}
    units |= {"character": speech.characters} if speech.characters else {}
    units |= {"phoneme": speech.phonemes} if speech.phonemes else {}
    units |= {"mark": speech.marks} if speech.marks else {}
    lists = []
    for unit, times in units.items():
        lines = ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in times)
        lists.append(f'"{unit}": [\n{lines}\n ]' if lines else f'"{unit}": []')
    return "{\n" + ",\n".join(f" {item}" for item in (f'"duration": {speech.duration!r}', *lists)) + "\n}\n"
