"""Activations are computed twice, without a word about it."""

import warnings

from torch.nn import Module
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_vits.modules.convolution import Conv
from hf_vits.modules.text_encoder import RelativeAttention


def test_layers_run_again_in_the_backward_pass_and_nobody_warns(make_trainer, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        trainer = make_trainer(max_steps=1, gradient_checkpointing=True)
    recomputed = [
        module for module in trainer.generator.module.modules() if isinstance(module, GradientCheckpointingLayer)
    ]
    # The first part of each: hooks of the layer itself are outside of what is computed again.
    layers = [
        next(part for part in layer.modules() if isinstance(part, Conv | RelativeAttention)) for layer in recomputed
    ]
    calls = dict.fromkeys(layers, 0)

    def count(layer: Module, *_):
        calls[layer] += 1

    for layer in layers:
        layer.register_forward_pre_hook(count)  # the second time ends as soon as all is there again
    trainer.train()
    assert layers and {calls[layer] for layer in layers if calls[layer]} == {2}
    assert not [line for line in caplog.messages if "embeddings" in line]
