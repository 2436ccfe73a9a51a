"""Train a voice: accelerate launch examples/train.py --config finetune-cpu --dataset_name examples/recordings

The same as `hf-vits train`, as a script for launchers; --help shows the common settings, --help-all every one.
"""

import sys

from hf_vits.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
