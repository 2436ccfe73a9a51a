"""Speak a data set: accelerate launch examples/synthesize_dataset.py --dataset_name org/texts --output_dir spoken

The folder is one that `datasets.load_dataset("audiofolder", data_dir=…)` reads. The same command goes on with a run
that was stopped, on as many processes as there are then.
"""

import logging
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported: threads wait without spinning

from hf_vits.synthesis import SynthesisSettings, synthesize
from hf_vits.utils.script_arguments import SettingsParser, run_script


def main(arguments=None):
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    (settings,) = SettingsParser([SynthesisSettings], description=__doc__).parse(arguments)
    synthesize(settings)


if __name__ == "__main__":
    run_script(main, "interrupted; the same command goes on")
