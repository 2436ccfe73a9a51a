"""The sizes of tiny models of transformers, and speech for them."""

import numpy as np

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [8, 8],
    "conv_stride": [20, 16],
    "conv_kernel": [40, 32],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
SPEECH = np.sin(np.arange(24000) * 0.05).astype(np.float32)
