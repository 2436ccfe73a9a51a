"""How a config.json is read: a regular file of bounded size, and one kind of error whatever its values are."""

from pathlib import Path
from typing import Any, ClassVar

from hf_vits.files import named_in_errors, read_table, require_if_there
from hf_vits.new_files import storage_errors
from hf_vits.wording import quoted


class ReadWithoutTrust:
    """What a configuration class of transformers needs to read files of strangers; goes before it among the bases."""

    model_types: ClassVar[tuple[str, ...]] = ()
    """Types in config.json that this class reads; its own if none are named."""

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
        """
        The table in config.json, and the arguments that say nothing of where it is; another model type of those that
        this class reads is no reason for a warning.

        Raises:
            OSError: if there is none, or it is no file or no JSON object.
            ValueError: if it is that of another model.
        """
        name = pretrained_model_name_or_path
        require_if_there(Path(name) / (kwargs.get("subfolder") or "") / "config.json")
        table, kwargs = super().get_config_dict(name, **kwargs)
        if not table:  # a repository without the file gives this, that is, a default voice
            raise OSError(f"{name} has no config.json, or one with nothing in it; is it a VITS voice?")
        kind, allowed = table.get("model_type", cls.model_type), cls.model_types or (cls.model_type,)
        if kind not in allowed:
            raise ValueError(f"{name} is a model of type {quoted(kind)}, not {' or '.join(map(repr, allowed))}.")
        if table.pop("quantization_config", None):
            raise ValueError(f"The config.json of {name} has a `quantization_config`; no voice here is quantized so.")
        return {**table, "model_type": cls.model_type}, kwargs

    def save_pretrained(self, save_directory, **kwargs):
        """As in transformers; raises an `OSError` that names the folder and the cause if it cannot be written."""
        if Path(save_directory).is_file():
            raise FileExistsError(f"{save_directory} is a file; give the name of a folder.")
        with storage_errors(save_directory, every=True):
            return super().save_pretrained(save_directory, **kwargs)

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
