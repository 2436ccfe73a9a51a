"""Whether somebody is logged in to the Hub, asked before the work and not after it."""


def check_login(what: str) -> None:
    """Raises `PermissionError` if nobody is logged in, as `what` would then be made and not uploaded."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    try:
        HfApi().whoami()
    except (HfHubHTTPError, LocalTokenNotFoundError) as error:
        raise PermissionError(
            f"The {what} cannot be uploaded, nobody is logged in to the Hub ({str(error).splitlines()[0]}). Run "
            "`hf auth login`, or set HF_TOKEN, or leave out what asks for the upload."
        ) from error
