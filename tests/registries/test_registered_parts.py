"""A decoder, a sub-discriminator and a loss that another package registers work in the whole package."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_voices import TINY, enliven

from hf_vits import VitsConfig, VitsModel
from hf_vits.conversion import convert
from hf_vits.conversion.discriminators import convert_discriminator
from hf_vits.conversion.shape_inference import config_fields, infer_config
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.doctor import examine
from hf_vits.export import export
from hf_vits.training import ModelInitialization
from hf_vits.training.loggers import read_history

DECODER = {"type": "toy", "channels": 6, "kernel_size": 5, "samples_per_frame": 8}
HIFIGAN = ("upsample_", "resblock_")
FIELDS = {name: value for name, value in TINY.items() if not name.startswith(HIFIGAN)}
SMALL = {"periods": [2], "period_channels": [4], "scale_channels": [4, 4, 8, 8, 8, 8]}
ADDED = {"additional_discriminators": [{"type": "toy", "channels": 4}]}


RUNS = []


@pytest.fixture
def trained(make_trainer, make_data):
    """Train a model with all three parts for two steps, once; return the trainer, whose folder holds the model."""
    if RUNS:
        return RUNS[0]
    config = VitsConfig(**FIELDS, sampling_rate=2000, decoder=DECODER)
    start = ModelInitialization.from_scratch(config, VitsDiscriminatorConfig(**SMALL, **ADDED), seed=1)
    data = make_data(4)
    trainer = make_trainer(start=start, data=data, eval_dataset=data, max_steps=2, logging_steps=1, ema_decay=0)
    trainer.train()
    RUNS.append(trainer)
    return trainer


@pytest.fixture
def folder(trained, tmp_path):
    """Copy the folder of the trained model."""
    return shutil.copytree(trained.output_dir, tmp_path / "copy")


def test_a_model_of_registered_parts_trains_saves_and_loads(trained):
    folder = trained.output_dir
    saved = json.loads((folder / "config.json").read_text())
    assert saved["model_type"] == "hf_vits" and saved["decoder"] == DECODER
    model = VitsModel.from_pretrained(folder)
    ours = trained.generator.module.model.state_dict()
    assert any(name.startswith("decoder.toy_") for name in ours)
    torch.testing.assert_close(
        {n: v for n, v in model.state_dict().items() if ".toy_" in n},
        {n: v for n, v in ours.items() if ".toy_" in n},
        rtol=0,
        atol=0,
    )
    discriminator = VitsDiscriminator.from_pretrained(folder / "discriminator")
    assert [type(one).__name__ for one in discriminator.discriminators][-1] == "ToyDiscriminator"
    weights = discriminator.state_dict()
    for name, value in trained.discriminator.module.state_dict().items():
        assert torch.equal(weights[name], value), name
    new = ModelInitialization.from_scratch(model.config, discriminator.config, seed=1)
    assert not torch.equal(new.model.decoder.toy_last.weight, model.decoder.toy_last.weight)
    assert not torch.equal(
        new.discriminator.discriminators[-1].toy_conv.weight, discriminator.discriminators[-1].toy_conv.weight
    )


def test_the_model_card_describes_registered_parts(trained):
    card = (trained.output_dir / "README.md").read_text()
    assert "| decoder | toy decoder of 6 channels |" in card and "| toy discriminator | channels 4 |" in card
    assert "toy_loudness: Difference of mean squares" in card


def test_a_registered_loss_is_weighted_logged_and_evaluated(trained, make_settings):
    lines = read_history(trained.output_dir)
    assert any("train/toy_loudness" in line for line in lines)
    assert any(name.endswith("/toy_loudness") and not name.startswith("train") for line in lines for name in line)
    assert trained.args.weights["toy_loudness"] == 0.1
    assert make_settings(loss_weights={"toy_loudness": 2}).weights["toy_loudness"] == 2
    assert make_settings(loss_weights='{"toy_loudness": 0.5}').weights["toy_loudness"] == 0.5
    with pytest.raises(ValueError, match=r"toy_loudness.*-1.*from 0 up"):
        make_settings(loss_weights={"toy_loudness": -1})


@pytest.mark.thorough
def test_the_weight_of_a_registered_loss_changes_the_generators_update(make_trainer, make_start, parameters_of):
    updated = []
    for number, weight in enumerate((0.0, 0.0, 1e4)):
        trainer = make_trainer(
            start=make_start(lively=True),
            max_steps=1,
            output_dir_name=str(number),
            loss_weights={"toy_loudness": weight},
        )
        trainer.train()
        updated.append(parameters_of(trainer)["generator.model.decoder.conv_post.weight"])
    assert torch.equal(updated[0], updated[1]) and not torch.equal(updated[0], updated[2])


@pytest.mark.parametrize("chunk_frames", [1, 7, 50, None])
def test_streamed_chunks_of_a_registered_decoder_equal_the_whole_waveform(chunk_frames):
    model = enliven(VitsModel(VitsConfig(**FIELDS, decoder=DECODER))).double()
    latents = torch.randn(1, model.config.flow_size, 120, dtype=torch.float64)
    chunks = torch.cat(list(model.stream(latents, chunk_frames=chunk_frames)), dim=-1)
    torch.testing.assert_close(chunks, model.decode(latents)[0], rtol=0, atol=1e-12)
    assert model.config.decoder_config.receptive_field == 4 and chunks.shape[-1] == 120 * 8


def test_the_doctor_finds_no_error_in_a_healthy_model_of_registered_parts(folder):
    assert not [found for found in examine(folder).diagnostics if found.severity == "error"]


def test_the_doctor_reports_once_that_a_decoder_is_not_registered(folder):
    table = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**table, "decoder": {"type": "unknown"}, "hop_length": 8}))
    errors = [found for found in examine(folder).diagnostics if found.severity == "error"]
    assert [found.id for found in errors if "no decoder 'unknown'" in found.message] == ["config.invalid_decoder"]
    assert not any(found.id == "doctor.failed" for found in errors)


def test_the_doctor_names_the_damaged_layer_of_a_registered_decoder(folder):
    file = folder / "model.safetensors"
    tensors = load_file(file)
    del tensors["decoder.toy_last.bias"]
    save_file(tensors, file, {"format": "pt"})
    errors = [found for found in examine(folder).diagnostics if found.severity == "error"]
    assert any("decoder.toy_last.bias" in found.message for found in errors)


def test_the_doctor_names_a_registered_sub_discriminator_that_does_not_fit_its_configuration(folder):
    file = folder / "discriminator" / "config.json"
    table = json.loads(file.read_text())
    table["additional_discriminators"][0]["channels"] = 5
    file.write_text(json.dumps(table))
    errors = [found for found in examine(folder).diagnostics if found.severity == "error"]
    assert any("toy_conv" in found.message for found in errors)


@pytest.fixture
def graphs(make_tokenizer):
    """-> a function that exports a model of three speakers with the registered decoder, and returns the model and a
    function from ids (B, T_text) and lengths, one for each speaker, to samples (B, T_wav) and durations (B, T_text)."""
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    fewer = {"num_hidden_layers": 1, "prior_encoder_num_flows": 1, "duration_predictor_num_flows": 2}
    fields = FIELDS | fewer | {"num_speakers": 3, "speaker_embedding_size": 6}

    def graphs(target, folder):
        model = enliven(VitsModel(VitsConfig(**fields, decoder=DECODER))).eval()
        export(model, make_tokenizer(), folder, target)
        names = ("text-to-latents", "decode-window") if target == "split" else ("*",)
        files = [file for name in names for file in folder.glob(f"{name}.onnx")]
        first, *second = [onnxruntime.InferenceSession(str(file)) for file in files]

        def run(ids, lengths):
            feed = {"input": ids.numpy(), "input_lengths": np.array(lengths), "sid": np.arange(len(lengths))}
            samples, durations = first.run(None, feed | {"scales": np.array([0, 1, 0], np.float32)})
            for decoder in second:
                (samples,) = decoder.run(None, {"latents": samples, "sid": feed["sid"]})
            return samples.reshape(len(ids), -1), durations

        return model, run

    return graphs


@pytest.mark.thorough
@pytest.mark.parametrize("target", ["piper", "sherpa", "split"])
def test_onnxruntime_says_of_texts_and_of_a_batch_what_pytorch_says_of_a_registered_decoder(target, graphs, tmp_path):
    model, run = graphs(target, tmp_path / "out")
    for lengths in ([1], [60], [9, 3, 14]):
        ids = torch.randint(0, 20, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(0))
        samples, durations = run(ids, lengths)
        for item, length in enumerate(lengths):
            call = {"speaker_id": item, "noise_scale": 0, "noise_scale_duration": 0}
            alone = model(ids[item : item + 1, :length], **call)
            expected = alone.waveform[0].detach().numpy()
            np.testing.assert_array_equal(durations[item, :length], alone.durations[0].numpy())
            context = model.config.decoder_config.receptive_field * 8 if target == "split" and len(lengths) > 1 else 0
            end = max(0, len(expected) - context)  # a window is decoded without its length
            np.testing.assert_allclose(samples[item, :end], expected[:end], rtol=0, atol=1e-5)
            assert target == "split" or not samples[item, len(expected) :].any()


@pytest.mark.thorough
def test_an_operation_that_onnx_does_not_have_is_refused_by_name(tmp_path, make_tokenizer, toy_parts, monkeypatch):
    pytest.importorskip("onnx")
    forward = toy_parts.ToyDecoder.forward
    monkeypatch.setattr(toy_parts.ToyDecoder, "forward", lambda *args: torch.special.bessel_j0(forward(*args)))
    with pytest.raises(ValueError, match="what ONNX cannot express.*bessel_j0"):
        export(VitsModel(VitsConfig(**FIELDS, decoder=DECODER)).eval(), make_tokenizer(), tmp_path / "out")


def test_without_a_configuration_the_weights_are_diagnosed_and_the_fields_that_they_lack_are_named(folder):
    (folder / "config.json").unlink()
    file = folder / "model.safetensors"
    tensors = load_file(file)
    (missing,) = (found for found in examine(folder).diagnostics if found.id.startswith("config."))
    assert missing.advice.endswith("The weights do not determine sampling_rate.")
    assert missing.details["weights"]["decoder"] == DECODER
    assert not any(found.id.startswith("weights.") for found in examine(folder).diagnostics)
    with pytest.raises(FileNotFoundError, match=r"--config.*do not determine sampling_rate\.$"):
        convert(file)

    del tensors["decoder.toy_last.bias"]
    save_file(tensors, file, {"format": "pt"})
    assert any("decoder.toy_last.bias" in found.message for found in examine(folder).diagnostics)


def test_a_file_of_a_registered_decoder_is_read_with_the_configuration_that_is_given(trained, tmp_path):
    shutil.copy(trained.output_dir / "model.safetensors", tmp_path)
    converted = convert(tmp_path / "model.safetensors", config=trained.output_dir / "config.json")
    assert converted.config.decoder == DECODER and "decoder.toy_last.bias" in converted.state_dict


def test_tensors_of_a_decoder_that_is_not_registered_are_refused_by_name(toy_parts):
    model = VitsModel(VitsConfig(**FIELDS, decoder=DECODER))
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert infer_config(shapes, sampling_rate=2000).decoder == DECODER
    renamed = {name.replace("toy_", "own_"): shape for name, shape in shapes.items()}
    with pytest.raises(ValueError, match="No decoder has the tensors own_first.bias.*Registered: hifigan, .*, toy"):
        infer_config(renamed)
    hifigan = VitsModel(VitsConfig(**TINY)).state_dict()
    with pytest.raises(ValueError, match="do not determine upsample_rates, resblock_dilation_sizes of the decoder"):
        infer_config({name: tuple(tensor.shape) for name, tensor in hifigan.items()})


@pytest.mark.parametrize("target", ["original", "transformers"])
def test_a_target_without_the_registered_decoder_refuses_the_model(target, tmp_path, make_tokenizer):
    model = VitsModel(VitsConfig(**FIELDS, decoder=DECODER)).eval()
    with pytest.raises(ValueError, match="decoder"):
        export(model, make_tokenizer(), tmp_path / target, target=target)


def test_the_fields_of_a_registered_decoder_are_inferred_from_shapes():
    model = VitsModel(VitsConfig(**FIELDS, decoder=DECODER))
    fields = config_fields({name: tuple(tensor.shape) for name, tensor in model.state_dict().items()})
    assert fields["decoder"] == DECODER and fields["hidden_size"] == model.config.hidden_size


def test_channels_of_registered_sub_discriminators_are_scaled_with_the_others():
    scaled = VitsDiscriminatorConfig(**SMALL, **ADDED).scale_channels_by(2)
    assert scaled.additional_discriminators == [{"type": "toy", "channels": 8}]
    assert scaled.period_channels == [8]


@pytest.mark.parametrize(
    "decoder, message",
    [
        (
            {"type": "tow"},
            r"no decoder 'tow'; did you mean `toy`\? Registered: hifigan, vocos, .*, toy\. If it",
        ),
        ({"type": "toy", "chanels": 3}, r"'chanels', which is no field of 'toy'; did you mean `channels`.*kernel_size"),
        ({"type": "toy", "channels": "many"}, "impossible field.*channels.*int"),
        ({"type": "toy", "kernel_size": 4}, "`kernel_size` is 4; it must be odd"),
        ({"type": "toy", "channels": 2**25}, "`channels` is 33554432, beyond"),
        ({"type": "toy", "channels": 2**24}, "weights, and the most is"),
        ({"channels": 3}, "an object whose `type` is one of vocos, .*, toy. Leave it out for hifigan"),
        ({"type": "hifigan"}, "Leave it out for hifigan"),
    ],
)
def test_an_unknown_or_impossible_decoder_is_an_error_that_says_what_there_is(decoder, message):
    with pytest.raises(ValueError, match=message):
        VitsConfig(**FIELDS, decoder=decoder)


@pytest.mark.parametrize(
    "added, message",
    [
        (
            {"type": "tow"},
            r"no sub-discriminator 'tow'; did you mean `toy`\? Registered: scale, period, .*, toy",
        ),
        ({"type": "toy", "width": 3}, "'width', which is no field of 'toy'. Its fields are channels"),
        ({"channels": 3}, "an object whose `type` is one of scale, period, .*, toy"),
    ],
)
def test_an_unknown_or_impossible_sub_discriminator_is_an_error_that_says_what_there_is(added, message):
    with pytest.raises(ValueError, match=message):
        VitsDiscriminatorConfig(**SMALL, additional_discriminators=[added])


def test_a_name_is_registered_once(toy_parts):
    with pytest.raises(ValueError, match="There is a decoder 'hifigan' already"):
        toy_parts.DECODERS["hifigan"]
        toy_parts.DECODERS.register("hifigan")(toy_parts.ToyDecoder)


def test_a_configuration_of_hifigan_is_saved_without_the_fields_of_registries(tmp_path):
    VitsConfig(**TINY).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert "decoder" not in saved and saved["model_type"] == "vits" and "decoder" not in VitsConfig().to_dict()


def test_a_registered_sub_discriminator_is_recognized_in_a_checkpoint_without_a_configuration(tmp_path):
    config = VitsDiscriminatorConfig(**{**SMALL, "periods": [2, 3, 5, 7, 11]}, **ADDED)
    tensors = VitsDiscriminator(config).state_dict()
    torch.save({"model": tensors}, tmp_path / "D_7.pth")
    converted = convert_discriminator(tmp_path / "D_7.pth")
    assert converted.config.additional_discriminators == ADDED["additional_discriminators"]
    assert all(torch.equal(value, tensors[name]) for name, value in converted.state_dict().items())
