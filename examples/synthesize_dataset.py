"""Speak a data set: accelerate launch examples/synthesize_dataset.py --dataset_name texts.csv --output_dir spoken

The same as `hf-vits synthesize`, as a script for launchers. The folder is one that
`datasets.load_dataset("audiofolder", data_dir="spoken")` reads.
"""

import sys

from hf_vits.cli import main

if __name__ == "__main__":
    sys.exit(main(["synthesize", *sys.argv[1:]]))
