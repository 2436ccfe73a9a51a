"""Choose the texts that complete a voice: lines of a file, a column of a data set, or built-in sentences."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hf_vits.data.dataset import Columns
from hf_vits.data.load import PLAIN_FILES, file_split, load_data
from hf_vits.hub.cards import called
from hf_vits.training.own_speech import texts_of
from hf_vits.utils.setting_fields import AnyPath, check_fields, option


@dataclass
class CompletionTexts:
    """
    Names of the texts of [`complete`].

    Raises:
        ValueError: if both are given.
    """

    texts: AnyPath | None = option(None, "File of texts, one a line, or a table; by default built-in sentences.")
    dataset_name: AnyPath | None = option(None, "Data whose texts are spoken: folder, or data set of the Hub.")
    text_column: str = option("text", "Column of the texts.")

    def __post_init__(self):
        check_fields(self)
        if self.texts and self.dataset_name:
            raise ValueError(
                f"`texts` is {self.texts!r} and `dataset_name` is {self.dataset_name!r}; give one of them."
            )

    @property
    def name(self) -> str:
        """Return the name of the texts in the model card."""
        return called(self.texts or self.dataset_name or "")

    def load(self) -> Iterable[str] | None:
        """
        Return the texts, without those for evaluation; `None` for the built-in sentences.

        Raises:
            FileNotFoundError: if there is no such file or data.
            ValueError: for a file of another kind, or without the column.
        """
        if self.texts:
            data = self._read(Path(self.texts))
        elif self.dataset_name:
            is_folder = Path(self.dataset_name).is_dir()
            data, _ = load_data(self.dataset_name, streaming=not is_folder, columns=Columns(self.text_column))
        else:
            return None
        if data.column_names is not None and self.text_column not in data.column_names:
            raise ValueError(f"There is no column {self.text_column!r}; there are {data.column_names}.")
        return texts_of(data, self.text_column)

    def _read(self, file: Path):
        if not file.is_file():
            raise FileNotFoundError(f"There is no file {file}; give one of texts, one a line.")
        if file.suffix.lower() not in PLAIN_FILES:
            raise ValueError(f"{file} ends with {file.suffix!r}; files of texts end with {', '.join(PLAIN_FILES)}.")
        return file_split(file, "train", [self.text_column])
