"""What of a run goes to the Hub: a voice that speaks there and can be trained on, and none of the run's own files."""

from pathlib import Path

from hf_vits import login
from hf_vits.training.card import set_address

NOT_RELEASED = ["checkpoint-*", "samples/*", "runs/*", ".*"]
"""What of a run's folder is not uploaded."""


def check_login() -> None:
    """Raises `PermissionError` if nobody is logged in: before a run, which would else be trained and not uploaded."""
    login.check_login("voice")


def upload(output_dir: Path, name: str | None = None, private: bool | None = None) -> None:
    """Uploads a released voice with its judges and its card, which from then on says the repository's name."""
    from huggingface_hub import HfApi

    name = name or output_dir.resolve().name
    repository = HfApi().create_repo(name, private=private, exist_ok=True).repo_id
    set_address(output_dir, repository)
    HfApi().upload_folder(repo_id=repository, folder_path=output_dir, ignore_patterns=NOT_RELEASED)
