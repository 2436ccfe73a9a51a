"""Speak with exported graphs in onnxruntime: what the command line needs of `TextToSpeechPipeline`, without PyTorch."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from hf_vits.inference import limits
from hf_vits.inference.sentences import SentenceEncoder
from hf_vits.runtime.noise import TorchGenerator
from hf_vits.text.errors import dropped_message
from hf_vits.text.ids import TextToIds
from hf_vits.text.lexicon import Lexicon

logger = logging.getLogger("hf_vits.tokenization_vits")

TEXT, SPEECH = "text-to-prior.onnx", "prior-to-waveform.onnx"
"""The graphs of `export.graph.TextToPrior` and `PriorToWaveform`."""

DTYPE = "torch.float32"
"""What an error says that outputs are in."""


class FrontEndOfVoice(TextToIds):
    """The ids of a voice's texts, by the options of its tokenizer."""

    def __init__(self, options: dict[str, Any], lexicon: Lexicon):
        vars(self).update(options)
        self.lexicon = lexicon
        self._known = frozenset(token for token in self.encoder if len(token) == 1)


class OnnxSpeech(SentenceEncoder):
    """
    Speak texts of any length, sentence by sentence, to the samples of `TextToSpeechPipeline`.

    Args:
        folder (`Path`):
            The graphs, as `runtime.build` makes them.
        description (`dict`):
            What `runtime.build.described` returned for the voice.
        lexicon ([`Lexicon`]):
            That of the voice.
        threads (`int`):
            CPU threads.

    Raises:
        Exception: of onnxruntime, if it cannot load the graphs.
    """

    def __init__(self, folder: Path, description: dict[str, Any], lexicon: Lexicon, threads: int):
        self.tokenizer = FrontEndOfVoice(description["tokenizer"], lexicon)
        self.model = SimpleNamespace(config=SimpleNamespace(**description["config"]))
        self.sampling_rate, self.digest = self.model.config.sampling_rate, description["digest"]
        self._text, self._speech = (_session(folder / name, threads) for name in (TEXT, SPEECH))

    def sentences(self, text: str) -> list[str]:
        """Return the sentences in which a text is synthesized."""
        return self._split(text)

    def _encoding(self, sentence: str, expand: bool = False, lexicon: Any = None) -> dict:
        ids, _, dropped = self.tokenizer._ids(sentence, False, None, True, self.tokenizer._rewriting(expand, lexicon))
        if dropped:
            logger.warning(dropped_message(dropped))
        return {"input_ids": ids}

    def stream(
        self,
        text: str,
        *,
        generator: TorchGenerator,
        pause: float = 0.0,
        strict: bool = False,
        first_sentence: int = 0,
        expand: bool = False,
        lexicon: Any = None,
        speaker_id: int | str | None = None,
        language_id: int | str | None = None,
        **options: Any,
    ) -> Iterator[dict[str, Any]]:
        """
        Speak a text: the chunks of `TextToSpeechPipeline.stream`, one for each sentence and one for each pause.

        Arguments are those of the pipeline; speaker and language are known ones, and numbers within their ranges.
        """
        config, arguments = self.model.config, {"expand": expand, "lexicon": lexicon}
        silence, pause_first = np.zeros(round(pause * self.sampling_rate), np.float32), first_sentence > 0
        chosen = {"sid": _index(speaker_id, config.speaker_names), "lid": _index(language_id, config.language_names)}
        scales = {
            name: getattr(config, name) if options.get(name) is None else options[name]
            for name in ("speaking_rate", "noise_scale", "noise_scale_duration")
        }
        self._check_readable(text, strict, arguments)
        for index, _, encoding in self._encodings(text, self.sentences(text), arguments, first_sentence):
            if encoding is None:
                continue
            fields = {"sampling_rate": self.sampling_rate, "sentence": index}
            if pause_first and len(silence):
                yield {"audio": silence.copy(), **fields, "is_pause": True}
            pause_first = True
            sample = self.prior(encoding["input_ids"], chosen, generator, **scales)
            yield {"audio": self.waveform(sample, chosen), **fields, "is_pause": False}

    def prior(
        self,
        ids: list[int],
        chosen: dict[str, int],
        generator: TorchGenerator,
        speaking_rate: float,
        noise_scale: float,
        noise_scale_duration: float,
    ) -> np.ndarray:
        """Ids and the numbers of speaker and language -> sample of the prior (1, C, T_spec), as `VitsModel.prior`."""
        if len(ids) > limits.MAX_TOKENS:
            raise limits.too_many_tokens(len(ids))
        feed = {"ids": np.array([ids], np.int64), **_inputs(chosen)}
        if self.model.config.use_stochastic_duration_prediction:
            feed["noise"] = generator.normal(1, 2, len(ids)) * np.float32(noise_scale_duration)
        mean, log_std, log_durations = _run(self._text, feed)
        with np.errstate(over="ignore", invalid="ignore"):
            frames = np.ceil(np.exp(log_durations[0, 0]) * np.float32(1 / speaking_rate))
        if not np.isfinite(frames).all():
            raise ValueError(limits.ENDLESS)
        durations = frames.astype(np.float64).clip(max=2**31).astype(np.int64)
        durations[0] += durations.sum() == 0
        if durations.sum() > limits.MAX_FRAMES_PER_ITEM:
            raise limits.too_many_frames(int(durations.sum()), self.model.config)
        mean, log_std = (values.repeat(durations, axis=2) for values in (mean, log_std))
        noise = generator.normal_transposed(*mean.shape[1:])
        with np.errstate(over="ignore", invalid="ignore"):
            sample = mean + noise * np.exp(log_std) * np.float32(noise_scale)
        return _finite("sample of the prior", sample)

    def waveform(self, sample: np.ndarray, chosen: dict[str, int]) -> np.ndarray:
        """Sample of the prior (1, C, T_spec) -> samples (T_wav,)."""
        (waveform,) = _run(self._speech, {"sample": sample, **_inputs(chosen)})
        return _finite("waveform", waveform[0, 0])


def _session(file: Path, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the machine may have other work
    options.log_severity_level = 4  # PyTorch's runtime takes over where graphs cannot be loaded
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _run(session, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Run a graph, which has only the inputs that its result depends on."""
    return session.run(None, {value.name: feed[value.name] for value in session.get_inputs()})


def _inputs(chosen: dict[str, int]) -> dict[str, np.ndarray]:
    return {name: np.array([number], np.int64) for name, number in chosen.items()}


def _index(chosen: int | str | None, names: list[str] | None) -> int:
    """Return the number of a known speaker or language; 0 without a choice, which voices of one alone allow."""
    if isinstance(chosen, str):
        return names.index(chosen)
    return chosen or 0


def _finite(name: str, values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise limits.NotFiniteError.of(name, DTYPE)
    return values
