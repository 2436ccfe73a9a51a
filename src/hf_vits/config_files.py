"""How a config.json is read: a regular file of bounded size, and one kind of error whatever its values are."""

from pathlib import Path
from typing import Any

from hf_vits.files import named_in_errors, read_table, require_if_there


class ReadWithoutTrust:
    """What a configuration class of transformers needs to read files of strangers; goes before it among the bases."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs):
        """
        As in transformers.

        Raises:
            OSError: if there is no config.json, or it is no file or no JSON object.
            ValueError: if it holds a value of another type, out of range, or that goes with no other; names the file
                and the field.
        """
        with named_in_errors(f"The config.json of {pretrained_model_name_or_path}", pretrained_model_name_or_path):
            return super().from_pretrained(pretrained_model_name_or_path, **kwargs)

    @classmethod
    def get_config_dict(cls, pretrained_model_name_or_path, **kwargs) -> tuple[dict[str, Any], dict[str, Any]]:
        """The table in config.json, and the arguments that say nothing of where it is."""
        require_if_there(Path(pretrained_model_name_or_path) / (kwargs.get("subfolder") or "") / "config.json")
        return super().get_config_dict(pretrained_model_name_or_path, **kwargs)

    @classmethod
    def of(cls, config):
        """A configuration as this class; itself if it is one."""
        return config if isinstance(config, cls) else cls.from_dict(config.to_dict())

    @classmethod
    def _dict_from_json_file(cls, json_file) -> dict[str, Any]:
        try:
            table = read_table(json_file)
        except ValueError as error:  # as transformers, whose callers expect it
            raise OSError(str(error)) from error
        table.pop("configuration_files", None)  # names another file to read, which no VITS voice has
        return cls._decode_special_floats(table)
