"""Layers of VITS, plain as in the paper: one box of its figure 1 per file. Faster forms are in `hf_vits.kernels`."""
