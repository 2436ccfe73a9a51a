"""A JSON file of times holds what was given."""

import json


def test_json_holds_the_lists(write, timestamps):
    found = json.loads(write("a.json").read_text(encoding="utf-8"))
    assert found == {"duration": timestamps["sentence"][-1]["end"], **timestamps}
