"""What is pushed to the Hub comes back the same."""

import os
import subprocess
import sys

from stub_hub import Hub


def run(code, hub, home):
    environment = {
        **{k: v for k, v in os.environ.items() if "proxy" not in k.lower()},
        **{"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home), "HF_TOKEN": "hf_stub"},
        **{"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"},
    }
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def test_a_pushed_voice_comes_back_from_the_hub_the_same(hub, make_model, make_tokenizer, speakers, tmp_path):
    make_model(resblock_type="2", **speakers).save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    speak = (
        "import torch, hf_vits\n"
        "from hf_vits import VitsModel, VitsTokenizer\n"
        "model, tokenizer = VitsModel.from_pretrained({0!r}), VitsTokenizer.from_pretrained({0!r})\n"
        "out = model(**tokenizer('a hope', return_tensors='pt'), speaker_id='bea', "
        "generator=torch.Generator().manual_seed(1))\n"
        "print(out.waveform.double().sum().item(), out.waveform.shape)\n"
    )
    local = str(tmp_path / "voice")
    push = "model.push_to_hub('org/voice'); tokenizer.push_to_hub('org/voice')\n"
    before = run(speak.format(local) + push, hub, tmp_path / "home")
    assert {"config.json", "model.safetensors", "vocab.json", "tokenizer_config.json"} <= set(Hub.files)
    after = run(speak.format("org/voice"), hub, tmp_path / "other home")
    assert after == before
    auto = speak.replace("hf_vits import VitsModel, VitsTokenizer", "transformers import AutoModel, AutoTokenizer")
    auto = auto.replace("VitsModel.", "AutoModel.").replace("VitsTokenizer.", "AutoTokenizer.")
    assert run(auto.format("org/voice"), hub, tmp_path / "third home") == before


def test_a_repository_without_a_config_is_an_error_not_a_default_voice(hub, tmp_path):
    Hub.files = {"README.md": b"nothing else"}
    code = (
        "from hf_vits import VitsModel\n"
        "try:\n    VitsModel.from_pretrained('org/voice')\n"
        "except OSError as error:\n    print('error:', error)\n"
    )
    printed = run(code, hub, tmp_path / "home")
    assert "error:" in printed and "org/voice" in printed and "config.json" in printed
