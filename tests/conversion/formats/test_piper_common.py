"""The JSON file of a Piper voice: every field is checked, and an error names it."""

import json

import pytest
from piper_files import tiny_model, voice_json, write_voice

from hf_vits.conversion import convert
from hf_vits.conversion.formats.piper_common import read_voice

WRONG_JSON = [
    (lambda d: d["audio"].update(sample_rate="22050"), "`audio.sample_rate` .* is '22050'; it must be a whole number"),
    (lambda d: d["audio"].update(sample_rate=0), "a whole number from 1 to 2147483647"),
    (lambda d: d["audio"].update(sample_rate=True), "`audio.sample_rate` .* is True"),
    (lambda d: d.pop("audio"), "has no `audio.sample_rate`"),
    (lambda d: d.update(audio=3), "`audio` .* is 3; it must be an object"),
    (lambda d: d["espeak"].update(voice=""), "`espeak.voice`"),
    (lambda d: d["inference"].update(length_scale=0), "`inference.length_scale` .* above 0"),
    (lambda d: d["inference"].update(noise_w="x"), "`inference.noise_w`"),
    (lambda d: d["inference"].update(noise_scale=-1), "`inference.noise_scale`"),
    (lambda d: d["inference"].update(noise_scale=float("nan")), "`inference.noise_scale` .* is nan"),
    (lambda d: d.update(phoneme_type="pinyin"), "'pinyin'; it must be one of espeak, text: .* no other front end"),
    (lambda d: d.update(phoneme_type="PhonemeType.PINYIN"), "'PhonemeType.PINYIN'; it must be one of espeak, text"),
    (lambda d: d.update(phoneme_type="espeak.text.x"), "it must be one of espeak, text"),
    (lambda d: d.update(phoneme_type=["espeak"]), "`phoneme_type` .* a string"),
    (lambda d: d.pop("phoneme_id_map"), "has no `phoneme_id_map`"),
    (lambda d: d.update(phoneme_id_map=[1]), "`phoneme_id_map` .* must be an object"),
    (lambda d: d["phoneme_id_map"].update(a=5), "`phoneme_id_map.a` .* a list of ids"),
    (lambda d: d["phoneme_id_map"].update(a=[]), "`phoneme_id_map.a`"),
    (lambda d: d["phoneme_id_map"].update(a=["5"]), "`phoneme_id_map.a`"),
    (lambda d: d["phoneme_id_map"].update(a=[-1]), "`phoneme_id_map.a`"),
    (lambda d: d["phoneme_id_map"].update(a=[4, 5]), "`phoneme_id_map.a` .* one id"),
    (lambda d: d["phoneme_id_map"].update(a=[20]), "`phoneme_id_map.a` .* below `num_symbols`, 20"),
    (lambda d: (d.pop("num_symbols"), d["phoneme_id_map"].update(a=[20])), "symbol id 20, but .* have ids 0 to 19"),
    (lambda d: d["phoneme_id_map"].pop("^"), r"lacks \['\^'\]"),
    (lambda d: d.update(num_symbols=30), "`num_symbols` in .* is 30, but .* have 20"),
    (lambda d: d.update(num_speakers=2), "`num_speakers` in .* is 2, but .* have 1"),
    (lambda d: d.update(hop_length=256), "`hop_length` in .* is 256, but .* have 8"),
    (lambda d: d.update(speaker_id_map={"anna": 1}), "`speaker_id_map` .* 'anna' .* 0 to 0"),
    (lambda d: d.update(speaker_id_map=["anna"]), "`speaker_id_map`"),
    (lambda d: d.update(num_speakers=2**31 - 1, speaker_id_map={"anna": 1}), "`num_speakers` .* from 1 to 100000"),
    (lambda d: d["audio"].update(sample_rate=10**400), "a whole number from 1 to 2147483647"),
]


@pytest.mark.parametrize(("change", "message"), WRONG_JSON)
def test_a_wrong_json_file_is_an_error_that_names_the_field(tmp_path, a_voice, change, message):
    data = json.loads((a_voice.parent / "voice.onnx.json").read_text())
    change(data)
    (tmp_path / "changed.json").write_text(json.dumps(data))

    with pytest.raises(ValueError, match=message):
        convert(a_voice, config=tmp_path / "changed.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "is not JSON"), (b"\xff\xfe\x00", "is not JSON"), (b"[]", "holds a list"), (b"[" * 200_000, "is not JSON")],
)
def test_a_damaged_json_file_is_an_error(tmp_path, content, message):
    path = write_voice(tmp_path, tiny_model())
    (tmp_path / "voice.onnx.json").write_bytes(content)

    with pytest.raises(ValueError, match=message):
        convert(path)


def test_symbols_that_no_text_can_reach_are_left_out_with_a_note(tmp_path):
    def change(data):
        data["phoneme_id_map"]["ts"] = [4, 5]
        data["phoneme_map"] = {"a": ["b"]}

    notes = convert(write_voice(tmp_path, tiny_model(), change=change)).notes

    assert any("longer than a code point" in note and "ts" in note for note in notes)
    assert any("`phoneme_map`" in note for note in notes)


def test_speakers_without_a_name_get_their_id_and_second_names_are_noted(tmp_path):
    model = tiny_model(num_speakers=3, speaker_embedding_size=6)
    converted = convert(
        write_voice(tmp_path, model, change=lambda d: d.update(speaker_id_map={"anna": 1, "ann": 1, "0": 2}))
    )

    assert list(converted.config.speaker_names) == ["id 0", "anna", "0"]
    assert any("'ann' (id 1 is 'anna')" in note for note in converted.notes)


def test_optional_fields_of_the_json_have_pipers_defaults(tmp_path):
    def change(data):
        for name in ("inference", "phoneme_type", "phoneme_map", "num_symbols", "num_speakers", "speaker_id_map"):
            del data[name]

    config = convert(write_voice(tmp_path, tiny_model(), change=change)).config

    assert (config.noise_scale, config.noise_scale_duration, config.speaking_rate) == (0.667, 0.8, 1.0)
    assert config.speaker_names is None


def test_the_tokenizer_adds_bos_eos_and_blanks_as_piper_does(tmp_path):
    tokenizer = convert(write_voice(tmp_path, tiny_model(), change=lambda d: d.update(phoneme_type="text"))).tokenizer

    assert tokenizer("ab")["input_ids"] == [1, 0, 4, 0, 5, 0, 2]


SPELLINGS = {
    "espeak": ["espeak", "ESPEAK", "PhonemeType.ESPEAK", "phonemetype.espeak", "<PhonemeType.ESPEAK: 'espeak'>", None],
    "text": ["text", "Text", "PhonemeType.TEXT", " text ", "<PhonemeType.TEXT: 'text'>", "<PhonemeType.TEXT: 2>"],
}


@pytest.mark.parametrize(
    ("meant", "written"), [(kind, written) for kind, all_of in SPELLINGS.items() for written in all_of]
)
def test_a_front_end_is_read_however_python_wrote_it(tmp_path, meant, written):
    (tmp_path / "voice.onnx.json").write_text(json.dumps({**voice_json(tiny_model().config), "phoneme_type": written}))
    assert read_voice(tmp_path / "voice.onnx.json").phoneme_type == meant


def test_a_published_voice_that_writes_its_front_end_as_python_does_is_converted(tmp_path):
    file = write_voice(tmp_path, tiny_model(), change=lambda d: d.update(phoneme_type="PhonemeType.TEXT"))
    assert convert(file).tokenizer("ab")["input_ids"] == [1, 0, 4, 0, 5, 0, 2]


def test_the_blank_is_pipers_padding_symbol(tmp_path):
    def change(data):
        data["phoneme_id_map"] |= {"_": [4], "a": [0]}

    assert convert(write_voice(tmp_path, tiny_model())).config.blank_id == 0
    assert convert(write_voice(tmp_path, tiny_model(), change=change)).config.blank_id == 4
