"""A model of LJSpeech's size with random weights."""


def paper_size_model():
    """-> a model with random weights of the size that training gives, so that nothing saturates."""
    import torch

    from hf_vits import VitsConfig, VitsModel

    torch.manual_seed(0)
    model = VitsModel(VitsConfig(vocab_size=178, sampling_rate=22_050)).eval()
    with torch.no_grad():
        for name, parameter in model.decoder.named_parameters():
            if "resblocks" in name and name.endswith("weight"):
                parameter.normal_(std=0.5 * parameter[0].numel() ** -0.5)
            elif "upsampler" in name and name.endswith("weight"):
                parameter.normal_(std=parameter[:, 0].numel() ** -0.5)
    return model
