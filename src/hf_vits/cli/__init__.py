"""The command line: `hf-vits VERB`. A verb is one module, and one line of `VERBS`."""

from hf_vits.utils.lazy_imports import lazy_attributes
from hf_vits.utils.waiting import wait_briefly

wait_briefly()  # before a verb imports torch, which loads OpenMP

VERBS = {
    "speak": "hf_vits.cli.speak",
    "train": "hf_vits.cli.train",
    "complete": "hf_vits.cli.complete",
    "distill": "hf_vits.cli.distill",
    "synthesize": "hf_vits.cli.synthesize",
    "evaluate": "hf_vits.cli.evaluate",
    "prepare": "hf_vits.cli.prepare",
    "align": "hf_vits.cli.align",
    "serve": "hf_vits.cli.serve",
    "wyoming": "hf_vits.cli.wyoming",
    "demo": "hf_vits.cli.demo",
    "convert": "hf_vits.cli.convert",
    "merge": "hf_vits.cli.merge",
    "export": "hf_vits.cli.export",
    "doctor": "hf_vits.cli.doctor",
    "info": "hf_vits.cli.info",
}
"""
The module of each verb; another package adds its own with `VERBS["name"] = "its.module"`. A module defines

- `HELP`: what the verb does, in one line.
- `add_arguments(parser)`: declares the options. It is called for the chosen verb alone, and may import what takes time.
- `run(options)`: does the work, and returns the exit status or `None` for 0.
- `RESUME` (optional): what to print after Ctrl-C, for work that handles signals itself and can be resumed.
- `OUT_OF_MEMORY` (optional): what to do if memory does not suffice.
"""

__getattr__ = lazy_attributes(__name__, {"main": "__main__"})
