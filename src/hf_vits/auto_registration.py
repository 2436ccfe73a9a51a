"""Register the model type "hf_vits" with the Auto classes and `transformers.pipeline`; "vits" stays upstream's.

Registering at import would import torch and the models of transformers: 3.4 s in place of 0.02 s. So an import hook
registers with each Auto module as soon as somebody else imports it, or at once if it is imported already.
"""

import importlib
import sys
import threading
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

OURS = "hf_vits."
AUTO_MODELS, OUR_MODELS = "transformers.models.auto.modeling_auto", "hf_vits.modeling_vits"
LAYERS = "transformers.modeling_layers"


def register() -> None:
    """Register with every Auto module that is imported, and with the others as soon as they are."""
    if any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        return  # the package was reloaded
    waiting = {
        "transformers.models.auto.configuration_auto": _register_config,
        "transformers.models.auto.tokenization_auto": _register_tokenizer,
        AUTO_MODELS: _import_and_register_model,
        LAYERS: _import_and_register_model,
        OUR_MODELS: _register_model,
    }
    for name in [name for name in waiting if name in sys.modules]:
        waiting.pop(name)()
    if waiting:
        sys.meta_path.insert(0, _AfterImport(waiting))


class _AfterImport(MetaPathFinder):
    """
    Call a function after the import of a module; the other finders find the module.

    A call that comes while a module of this package is being imported, which itself imported the Auto class, waits for
    the end of that: what is registered may import the module, which is not complete before.
    """

    def __init__(self, waiting: dict[str, Callable[[], None]]):
        self.waiting, self.postponed, self.ours = waiting, [], threading.local()

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        is_ours = fullname.startswith(OURS)
        if not is_ours and fullname not in self.waiting:
            return None
        others = (finder for finder in sys.meta_path if not isinstance(finder, _AfterImport))
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def execute_then_call(module):
            outer = getattr(self.ours, "depth", 0)
            self.ours.depth = outer + is_ours
            try:
                execute(module)
            finally:
                self.ours.depth = outer
            if (call := self.waiting.pop(fullname, None)) is not None:
                self.postponed.append(call)
            while self.postponed and not outer:
                self.postponed.pop(0)()

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


def _import_and_register_model() -> None:
    if LAYERS in sys.modules and not hasattr(sys.modules[LAYERS], "GradientCheckpointingLayer"):
        return  # it imports the Auto classes before it defines what our models need; called again when it is complete
    if OUR_MODELS not in sys.modules:
        importlib.import_module(OUR_MODELS)
    _register_model()


def _register_model() -> None:
    """Register once both modules are complete: ours imports one of transformers, which imports the other."""
    for name, last in ((AUTO_MODELS, "AutoModelForTextToWaveform"), (OUR_MODELS, "HfVitsModel")):
        if not hasattr(sys.modules.get(name), last):
            return  # called again when it is complete
    from transformers.models.auto.modeling_auto import AutoModel, AutoModelForTextToWaveform

    from hf_vits.modeling_vits import HfVitsConfig, HfVitsModel, VitsConfig, VitsModel

    for auto in (AutoModel, AutoModelForTextToWaveform):
        auto.register(HfVitsConfig, HfVitsModel, exist_ok=True)
        # An instance of our configuration selects our model. Files of type "vits" are read as upstream's configuration.
        auto.register(VitsConfig, VitsModel, exist_ok=True)
