"""A step of each training on a device that is not the processor: no tensor is on the wrong one."""

from __future__ import annotations

import json
from contextlib import nullcontext

import numpy as np
import pytest

from asr_server.places import ROOT

EMBEDDED = ROOT / "embedded_models"

pytestmark = pytest.mark.soak


def records(language: str, texts: list[str]) -> list[dict[str, object]]:
    return [
        {
            "language": language if text else "nospeech",
            "spoken": text,
            "written": text,
            "punctuated": text,
            "frames": 300,
            "words": [[word, 200 + 250 * index] for index, word in enumerate(text.split() or text)],
        }
        for text in texts
    ]


def items(language: str, texts: list[str], together: bool = False):
    from lab.training.dataset import Item

    rng = np.random.default_rng(1)
    every = [records(language, texts)] if together else [records(language, [t]) for t in texts]
    return [
        Item(
            rng.standard_normal((50 * len(joined), 560)).astype(np.float32),
            joined,
            [3000 * i for i in range(len(joined))],
        )
        for joined in every
    ]


def sensevoice():
    import torch
    from torch import nn

    from lab.training.models import WIDTH, build_model, sensevoice_config
    from lab.training.sensevoice_batches import SPOKEN_TAGS, make_batch
    from lab.training.tokens import SenseVoiceTokenizer
    from lab.training.train_sensevoice import SPM_NAME, keep_output, sensevoice_loss

    tokenizer = SenseVoiceTokenizer(EMBEDDED / "sensevoice" / SPM_NAME)
    model = build_model(sensevoice_config(), tokenizer.size)
    model.frame_head = nn.Linear(WIDTH, tokenizer.size)
    model.language_head = nn.Linear(WIDTH, len(SPOKEN_TAGS))
    model.encoder.after_norm.register_forward_hook(keep_output)
    weights = torch.ones(tokenizer.size)
    made = [*items("zh", ["今天天气很好", "你好", ""]), *items("en", ["the weather is good"])]
    batch = make_batch(made, tokenizer, np.random.default_rng(2))
    return model, batch, [weights], sensevoice_loss


def paraformer():
    import torch
    from torch import nn

    from lab.training.local_attention import keep_attention
    from lab.training.models import WIDTH, build_model, paraformer_config
    from lab.training.paraformer_batches import Characters, make_batch
    from lab.training.train_paraformer import paraformer_loss

    tokens = json.loads((EMBEDDED / "paraformer" / "tokens.json").read_text(encoding="utf-8"))
    model = build_model(paraformer_config(), len(tokens))
    model.frame_head = nn.Linear(WIDTH, len(tokens))
    keep_attention(model)
    characters = Characters({token: index for index, token in enumerate(tokens)})
    made = [*items("zh", ["今天天气很好", ""]), *items("zh", ["你好", "现在几点"], together=True)]
    batch = make_batch(made, characters)
    return model, batch, [torch.ones(len(tokens))], paraformer_loss


def streaming():
    import torch
    from torch import nn

    from lab.training.models import WIDTH, build_model, streaming_config
    from lab.training.paraformer_batches import Characters
    from lab.training.train_streaming import make_streaming_batch, streaming_loss

    folder = EMBEDDED / "paraformer_online"
    tokens = json.loads((folder / "tokens.json").read_text(encoding="utf-8"))
    model = build_model(streaming_config(), len(tokens))
    model.frame_head = nn.Linear(WIDTH, len(tokens))
    characters = Characters({token: index for index, token in enumerate(tokens)})
    made = [*items("zh", ["今天天气很好", ""]), *items("zh", ["你好", "现在几点"], together=True)]
    batch = make_streaming_batch(made, characters, np.random.default_rng(2))
    return model, batch, [torch.ones(len(tokens))], streaming_loss


def rejecting(name, training):
    from lab.training.models import build_model
    from lab.training.paraformer_batches import Characters
    from lab.training.train_rejection import KINDS, Pair, rejecting_loss

    kind = KINDS[name]
    model, batch, _, _ = training()
    model.specaug = None
    tokens = json.loads((EMBEDDED / name / "tokens.json").read_text(encoding="utf-8"))
    characters = Characters({token: index for index, token in enumerate(tokens)})
    clips = kind.make(items("zh", ["", ""]), characters, np.random.default_rng(3))
    before = build_model(kind.config(), len(tokens)).eval()
    before.specaug = None

    def loss_of(model, pair, before):
        return rejecting_loss(model, pair, before, kind)

    return model, Pair(batch, clips), [before], loss_of


def rejecting_offline():
    return rejecting("paraformer", paraformer)


def rejecting_streaming():
    return rejecting("paraformer_online", streaming)


def total(losses):
    return losses[0] if isinstance(losses, tuple) else losses.total()


TRAININGS = [sensevoice, paraformer, rejecting_offline, streaming, rejecting_streaming]


@pytest.mark.parametrize("training", TRAININGS)
def test_a_step_is_the_same_on_another_device(training, monkeypatch):
    import torch

    from lab.training.dropout import use_byte_dropout
    from lab.training.fused_attention import use_fused_attention
    from lab.training.loading import on_device
    from tests.soak.far_device import FAR, FarDevice, FarTensor

    torch.manual_seed(0)
    monkeypatch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)
    # No autocast is asked for, and there is none for this device.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    model, batch, further, loss_of = training()
    use_byte_dropout(model, 0.0)
    use_fused_attention(model)
    model.train()
    with FarDevice():
        far_batch = on_device(batch, FAR)  # a copy, before masks are laid on the features in place
    torch.manual_seed(1)
    expected = total(loss_of(model, batch, *further))
    expected.backward()
    wanted = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    with FarDevice():
        model = model.to(FAR)
        further = [each.to(FAR) for each in further]
        model.zero_grad()
        torch.manual_seed(1)
        loss = total(loss_of(model, far_batch, *further))
        loss.backward()
        assert isinstance(loss, FarTensor)
        found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        assert torch.isclose(loss.detach().near, expected.detach(), rtol=1e-4)
    assert found.keys() == wanted.keys()
    for name, gradient in found.items():
        assert torch.allclose(gradient.near, wanted[name], rtol=1e-2, atol=1e-4), name


@pytest.mark.parametrize("training", [rejecting_offline, rejecting_streaming])
def test_a_model_held_to_itself_loses_nothing_but_on_clips(training):
    import torch

    torch.manual_seed(0)
    model, pair, _, loss_of = training()
    model.eval()
    _, parts = loss_of(model, pair, model)
    assert all(float(parts[name].detach()) < 1e-6 for name in ("kl", "cif", "sum", "hidden"))
    assert float(parts["end"].detach()) > 0.1
