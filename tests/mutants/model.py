"""Faults of the model: parts of VITS2, and decoders that end in inverse transforms."""

from mutants.mutant import Mutant

MUTANTS = [
    # Parts of VITS2
    Mutant(
        "modules/text_encoder.py",
        "if number == self.speaker_layer and",
        "if number + 1 == self.speaker_layer and",
        "conversion/formats/test_vits2.py",
        "paper",
    ),
    Mutant(
        "modules/text_encoder.py",
        "(hidden + self.cond(speaker).transpose(1, 2)) * column_mask",
        "hidden * column_mask",
        "modules/test_vits2.py",
        "speaker",
    ),
    Mutant(
        "modules/flow.py",
        "kept = kept + self.pre_transformer(kept, mask)",
        "kept = self.pre_transformer(kept, mask)",
        "conversion/formats/test_vits2.py",
        "paper",
    ),
    Mutant(
        "modules/text_encoder.py",
        "return hidden.transpose(1, 2) * mask",
        "return hidden.transpose(1, 2).flip(1) * mask",
        "conversion/formats/test_vits2.py",
        "paper",
    ),
    Mutant(
        "modeling_vits.py",
        "None if self.config.flow_config.mixes_all_frames else flow_context(self.config)",
        "flow_context(self.config)",
        "modules/test_vits2.py",
        "stream",
    ),
    Mutant(
        "conversion/vits_keys.py",
        "renamed[name] = tensor.unsqueeze(-1)",
        "renamed[name] = tensor",
        "conversion/formats/test_vits2.py",
        "tensors",
    ),
    Mutant(
        "conversion/formats/original.py",
        '**({"posterior_input": "mel"} if takes_mels else {})',
        "**{}",
        "conversion/formats/test_vits2.py",
        "tensors",
    ),
    Mutant(
        "modules/alignment.py",
        "own += scale * own.std(correction=0) * noise",
        "own += scale * noisy.std(correction=0) * noise",
        "training/test_alignment_noise.py",
        "noise",
    ),
    Mutant(
        "modules/alignment.py",
        "    if scale == 0:\n        return scores\n",
        "",
        "training/test_alignment_noise.py",
        "zero",
    ),
    Mutant(
        "training/train_step.py",
        "config.alignment_noise_decay * step",
        "config.alignment_noise_decay",
        "training/test_alignment_noise.py",
        "decreases",
    ),
    Mutant(
        "training/duration_step.py",
        "output.log_durations.detach(), output.speaker",
        "output.log_targets, output.speaker",
        "training/test_duration_step.py",
        "gradients",
    ),
    Mutant(
        "training/duration_step.py",
        "token_least_squares(fake, 0, output.mask)",
        "token_least_squares(fake, 1, output.mask)",
        "training/test_duration_step.py",
        "gradients",
    ),
    Mutant(
        "training/duration_step.py",
        "model.load_state_dict(kept, strict=False)",
        "pass",
        "training/test_duration_step.py",
        "predictor",
    ),
    Mutant(
        "training/trainer.py",
        "training_state.load_durations(self.durations, state, folder)",
        "pass",
        "training/test_duration_step.py",
        "resumed",
    ),
    Mutant(
        "training/phases.py",
        "Phase.DURATIONS: PREDICTOR",
        'Phase.DURATIONS: ""',
        "training/test_duration_step.py",
        "predictor",
    ),
    Mutant(
        "discriminators/duration.py",
        "norm(conv(hidden * mask)",
        "norm(conv(hidden)",
        "training/test_duration_step.py",
        "padded",
    ),
    # Decoders that end in inverse transforms
    Mutant(
        "modules/decoders/istft.py",
        "[signal[..., 1:2], signal]",
        "[signal[..., :1], signal]",
        "modules/decoders/test_istft.py",
        "published",
    ),
    Mutant(
        "modules/decoders/istft.py",
        "shift = 1",
        "shift = 0",
        "modules/decoders/test_istft.py",
        "reach",
    ),
    Mutant(
        "modules/decoders/istft.py",
        "* self.upsampling + 1, length",
        "* self.upsampling, length",
        "modules/decoders/test_istft.py",
        "batch",
    ),
    Mutant("modules/filter_banks.py", "(TAPS - 2) / 2", "(TAPS - 1) / 2", "modules/test_filter_banks.py", ""),
    Mutant(
        "training/generator.py", "bands * sample_mask[..., ::BANDS]", "bands", "training/test_istft_voices.py", "bands"
    ),
    Mutant(
        "conversion/shape_inference.py",
        '{**fields["decoder"], **own}',
        'fields["decoder"]',
        "conversion/formats/test_mb_istft_vits.py",
        "",
    ),
]
