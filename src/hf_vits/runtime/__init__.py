"""A runtime of the command line that starts without PyTorch and transformers: exported graphs in onnxruntime.

`graphs` finds those of a voice in the cache, `build` makes them, `speech` speaks with them, and `noise` draws random
numbers as PyTorch does, so that the samples are those of `TextToSpeechPipeline`.
"""
