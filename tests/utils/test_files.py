"""Only regular files are read, up to a bound, and what is wrong with one is said with its name."""

import json
import os

import pytest

from hf_vits.utils.files import DEEPEST_TABLE, member, read_bytes, read_json, read_table, read_text, require_file


def put(kind, file):
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    elif kind == "circle":
        file.symlink_to(file)
    elif kind == "dangling":
        file.symlink_to(file.parent / "gone")
    return file


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "circle", "dangling", "nothing"])
@pytest.mark.parametrize("reader", [require_file, read_bytes, read_text, read_json, read_table])
def test_what_is_no_regular_file_is_an_error_that_names_it(tmp_path, kind, reader):
    with pytest.raises(OSError, match="x.json") as raised:
        reader(put(kind, tmp_path / "x.json"))
    assert isinstance(raised.value, FileNotFoundError) == (kind == "nothing")


def test_a_file_is_read_up_to_its_bound_and_not_beyond(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"12345")
    assert read_bytes(file, 5) == b"12345"
    with pytest.raises(ValueError, match="has 5 bytes; at most 4"):
        read_bytes(file, 4)
    os.truncate(file, 2**40)  # a hole, which takes no room on the disk and would take a terabyte in memory
    with pytest.raises(ValueError, match="x has 1,099,511,627,776 bytes"):
        read_json(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "nested more than"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[1]", "one JSON object, and this is a list"),
    ],
)
def test_what_is_no_table_is_an_error_that_names_the_file(tmp_path, content, message):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        read_table(tmp_path / "x.json")
    assert "x.json" in str(raised.value)


def test_a_table_as_deep_as_allowed_is_read(tmp_path):
    deep = 1
    for _ in range(DEEPEST_TABLE - 1):
        deep = [deep]
    (tmp_path / "x.json").write_text(json.dumps({"a": deep}))
    assert read_table(tmp_path / "x.json") == {"a": deep}
    (tmp_path / "x.json").write_text(json.dumps({"a": [deep]}))
    with pytest.raises(ValueError, match="levels deep"):
        read_table(tmp_path / "x.json")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "a\\b", "..", ".", "", "a\0b", 5, None, ["x"]])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "x").touch()
    with pytest.raises(ValueError, match="not a name of a file in its folder"):
        member(tmp_path / "folder", name, tmp_path / "folder" / "index.json")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "circle", "dangling", "nothing"])
def test_a_named_file_that_is_none_is_an_error(tmp_path, kind):
    put(kind, tmp_path / "shard")
    with pytest.raises(OSError, match="shard"):
        member(tmp_path, "shard", tmp_path / "index.json")


def test_a_link_may_lead_within_the_folder_and_into_the_hub_s_store_but_not_elsewhere(tmp_path):
    repository = tmp_path / "models--a--b"
    snapshot = repository / "snapshots" / "0123" / "voice"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    (repository / "blobs" / "abc").touch()
    (snapshot / "shard").symlink_to("../../../blobs/abc")
    assert member(snapshot, "shard", snapshot / "index.json") == snapshot / "shard"
    (snapshot / "inside").symlink_to("shard")
    assert member(snapshot, "inside", snapshot / "index.json")
    (tmp_path / "link").symlink_to(snapshot)
    assert member(tmp_path / "link", "shard", "index.json")
    (tmp_path / "secret").touch()
    (snapshot / "out").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match="outside of its folder"):
        member(snapshot, "out", snapshot / "index.json")
