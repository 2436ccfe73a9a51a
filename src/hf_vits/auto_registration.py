"""Makes the Auto classes and `transformers.pipeline` know the model type "hf_vits", without importing them for it.

Registering needs the modules that it registers with, and those cost as much as all the rest of an import. So each is
told about this package when somebody imports it, or at once if somebody already has. "vits" stays upstream's.
"""

import importlib
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec


def register() -> None:
    """Registers with every Auto module that is imported, and with the others as soon as they are."""
    if any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        return  # the package was reloaded
    waiting = dict(_REGISTRATIONS)
    for name in [name for name in waiting if name in sys.modules]:
        waiting.pop(name)()
    if waiting:
        sys.meta_path.insert(0, _AfterImport(waiting))


class _AfterImport(MetaPathFinder):
    """Finds no module itself; calls a function once the module of that name has been executed."""

    def __init__(self, waiting: dict[str, Callable[[], None]]):
        self.waiting = waiting

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        if fullname not in self.waiting:
            return None
        others = (finder for finder in sys.meta_path if not isinstance(finder, _AfterImport))
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def execute_then_call(module):
            execute(module)
            self.waiting.pop(fullname, lambda: None)()

        spec.loader.exec_module = execute_then_call
        return spec


def _register_config() -> None:
    from transformers.models.auto.configuration_auto import AutoConfig

    from hf_vits.configuration_vits import HfVitsConfig

    AutoConfig.register(HfVitsConfig.model_type, HfVitsConfig, exist_ok=True)


def _register_tokenizer() -> None:
    from transformers.models.auto.tokenization_auto import AutoTokenizer

    from hf_vits.configuration_vits import HfVitsConfig
    from hf_vits.tokenization_vits import HfVitsTokenizer

    AutoTokenizer.register(HfVitsConfig, tokenizer_class=HfVitsTokenizer, exist_ok=True)


def _register_model_of_ours() -> None:
    if OUR_MODELS not in sys.modules:
        importlib.import_module(OUR_MODELS)
    _register_model()


def _register_model() -> None:
    """Waits for both modules: ours imports a layer of transformers, which imports the other."""
    for name, last in ((AUTO_MODELS, "AutoModelForTextToWaveform"), (OUR_MODELS, "HfVitsModel")):
        if not hasattr(sys.modules.get(name), last):
            return  # called again when it is whole
    from transformers.models.auto.modeling_auto import AutoModel, AutoModelForTextToWaveform

    from hf_vits.modeling_vits import HfVitsConfig, HfVitsModel, VitsConfig, VitsModel

    for auto in (AutoModel, AutoModelForTextToWaveform):
        auto.register(HfVitsConfig, HfVitsModel, exist_ok=True)
        # Our configuration in hand means our model. Files of type "vits" are read as upstream's configuration.
        auto.register(VitsConfig, VitsModel, exist_ok=True)


AUTO_MODELS, OUR_MODELS = "transformers.models.auto.modeling_auto", "hf_vits.modeling_vits"

_REGISTRATIONS = {
    "transformers.models.auto.configuration_auto": _register_config,
    "transformers.models.auto.tokenization_auto": _register_tokenizer,
    AUTO_MODELS: _register_model_of_ours,
    OUR_MODELS: _register_model,
}
