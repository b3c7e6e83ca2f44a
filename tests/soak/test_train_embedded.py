"""Parts of the embedded models' training. Needs torch and FunASR."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def encoders():
    """SenseVoice encoders with two blocks fewer and with all, and the shorter one's weights."""
    from scripts.train_embedded.deepen import silence_new_blocks
    from scripts.train_embedded.models import build_model, sensevoice_config

    config = sensevoice_config()
    deep = build_model(config, 20)
    blocks = config["encoder_conf"]["num_blocks"]
    config["encoder_conf"]["num_blocks"] = blocks - 2
    shallow = build_model(config, 20)
    weights = shallow.state_dict()
    deep.load_state_dict(weights, strict=False)
    new = silence_new_blocks(deep, weights)
    assert new == [f"encoder.encoders.{blocks - 3}", f"encoder.encoders.{blocks - 2}"]
    return shallow.encoder.eval(), deep.encoder.eval()


def test_new_blocks_change_nothing_at_first(encoders):
    import torch

    shallow, deep = encoders
    features, lengths = torch.randn(2, 30, 560), torch.tensor([30, 17])
    with torch.no_grad():
        expected, found = (model(features.clone(), lengths)[0] for model in (shallow, deep))
    assert torch.equal(found, expected)


def test_new_blocks_learn(encoders):
    import torch

    deep = encoders[1]
    output = deep(torch.randn(1, 30, 560), torch.tensor([30]))[0]
    (output * torch.randn_like(output)).sum().backward()
    block = deep.encoders[-1]
    for layer in (block.self_attn.linear_q_k_v, block.feed_forward.w_2):
        assert layer.weight.grad.abs().max() > 0


def test_every_frame_has_its_items_language():
    from scripts.train_embedded.dataset import Item
    from scripts.train_embedded.train_sensevoice import IGNORED, SPOKEN_TAGS, language_targets

    def item(frames, languages):
        records = [
            {"language": name, "spoken": "" if name == "nospeech" else "x"} for name in languages
        ]
        return Item(np.zeros((frames, 560), np.float32), records, [0] * len(records))

    items = [item(2, ["nospeech"]), item(4, ["nospeech", "yue", "yue"])]
    nothing, yue = SPOKEN_TAGS.index("nospeech"), SPOKEN_TAGS.index("yue")
    expected = [[nothing, nothing, IGNORED, IGNORED, IGNORED], [yue] * 4 + [IGNORED]]
    assert language_targets(items, 5).tolist() == expected
