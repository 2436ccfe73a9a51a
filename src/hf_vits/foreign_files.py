"""How files of other projects are known by their names, and their tables by the fields they have."""

SUFFIXES = {
    ".onnx": "a graph of ONNX, as Piper's voices are",
    ".pth": "a checkpoint of PyTorch, as those of the original VITS, MMS and Coqui are",
    ".pt": "a checkpoint of PyTorch",
    ".ckpt": "a checkpoint of Lightning, as Piper's training writes it",
    ".tar": "an archive, as MMS and Coqui pass their voices on; unpack it first",
    ".gz": "an archive, as MMS passes its voices on; unpack it first",
    ".zip": "an archive, as Coqui and ESPnet pass their voices on; unpack it first",
    ".bin": "a table of weights, of unknown names",
    ".safetensors": "a table of weights",
    ".tflite": "a graph of TensorFlow",
    ".nemo": "an archive of NeMo",
}
"""What a file is, by its name's end; nothing in it is read."""

ARCHIVES = (".tar", ".gz", ".zip", ".nemo")

FOREIGN_TABLES = ({"train", "data", "model"}, {"model_args", "audio"}, {"audio", "phoneme_id_map"})
"""Tables that config.json has in the original, Coqui and Piper."""
