"""Whether training can go on from a converted voice, in words."""

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.discriminators import ConvertedDiscriminator


def trainable(config: VitsConfig, judges: ConvertedDiscriminator | None, kept_in: str = "") -> tuple[str, ...]:
    """Notes on what training finds; `kept_in`, such as "D_*.pth", is where the format has its discriminators."""
    said = () if judges is None else judges.notes
    if config.inference_only:
        return "It can speak but not be trained as it is: there is no posterior encoder in it.", *said
    if judges is None:
        without = "Without discriminators" + (f" ({kept_in})" if kept_in else "")
        return (f"{without}: training makes new ones, and trains them first.",)
    return "With its discriminators: training can go on at once.", *said
