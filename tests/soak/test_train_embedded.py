"""Parts of the embedded models' training. Needs torch and FunASR."""

from __future__ import annotations

import json

import numpy as np
import pytest

from asr_server.places import ROOT

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def encoders():
    """SenseVoice encoders with two blocks fewer and with all, and the shorter one's weights."""
    from lab.training.deepen import silence_new_blocks
    from lab.training.models import build_model, sensevoice_config

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
    from lab.training.dataset import Item
    from lab.training.sensevoice_batches import IGNORED, SPOKEN_TAGS, language_targets

    def item(frames, languages):
        records = [
            {"language": name, "spoken": "" if name == "nospeech" else "x"} for name in languages
        ]
        return Item(np.zeros((frames, 560), np.float32), records, [0] * len(records))

    items = [item(2, ["nospeech"]), item(4, ["nospeech", "yue", "yue"])]
    nothing, yue = SPOKEN_TAGS.index("nospeech"), SPOKEN_TAGS.index("yue")
    expected = [[nothing, nothing, IGNORED, IGNORED, IGNORED], [yue] * 4 + [IGNORED]]
    assert language_targets(items, 5).tolist() == expected


def test_firing_frames_are_where_the_sum_passes_each_number():
    import torch

    from lab.training.cif import firing_frames

    alphas = torch.rand(3, 40)
    found = firing_frames(alphas, 60)
    for row, frames in zip(alphas.double().tolist(), found.tolist(), strict=True):
        total, fired = 0.0, []
        for frame, alpha in enumerate(row):
            total += alpha
            fired += [frame] * (int(total + 1e-6) - len(fired))
        assert frames == fired + [39] * (60 - len(fired))


@pytest.fixture
def decoder_attention():
    """A Paraformer's decoder that keeps its attention, and that of tokens to random frames."""
    import torch

    from lab.training.local_attention import keep_attention
    from lab.training.models import build_model, paraformer_config

    decoder = build_model(paraformer_config(), 20).decoder.eval()
    inputs = (torch.randn(1, 90, 128), torch.tensor([90]), torch.randn(1, 5, 128))
    before = decoder(*inputs, torch.tensor([5]))[0]
    keep_attention(decoder)
    kept = decoder(*inputs, torch.tensor([5]))[0]
    return decoder, before, kept


def test_keeping_the_attention_changes_nothing(decoder_attention):
    _, before, kept = decoder_attention
    assert (kept - before).abs().max() < 1e-5


def test_local_attention_loss_is_the_log_of_what_falls_near(decoder_attention):
    import torch

    from lab.training.local_attention import NEAR_FRAMES, local_attention_loss

    decoder = decoder_attention[0]
    layers = [m for m in decoder.modules() if type(m).__name__ == "MultiHeadedAttentionCrossAtt"]
    frames = torch.tensor([[0, 20, 40, 60, 89]])
    counted = torch.tensor([[True, True, False, True, True]])
    logs = []
    for layer in layers:
        for token in (0, 1, 3, 4):
            first = max(0, int(frames[0, token]) - NEAR_FRAMES)
            last = int(frames[0, token]) + NEAR_FRAMES + 1
            logs.append(-layer.attn[0, :, token, first:last].sum(-1).log().mean())
    loss = local_attention_loss(decoder, frames, counted)
    assert len(layers) == 2
    assert torch.isclose(loss, torch.stack(logs).mean())
    assert all(layer.attn is None for layer in layers)  # else the graph of a step stays in memory


def test_as_many_true_tokens_are_given_as_the_sampler_of_funasr_gives():
    import torch

    from lab.training.models import build_model, paraformer_config
    from lab.training.paraformer_batches import Batch
    from lab.training.paraformer_parts import glance

    torch.manual_seed(3)
    model = build_model(paraformer_config(), 20).eval()
    model.sampling_ratio = 0.7
    ys = torch.tensor([[5, 6, 7, 8, 9, 2], [5, 6, 2, -1, -1, -1], [2, -1, -1, -1, -1, -1]])
    lengths = (ys >= 0).sum(1)
    memory, acoustic = torch.randn(3, 40, 128), torch.randn(3, 6, 128)
    memory_lengths = torch.tensor([40, 30, 20])
    empty = torch.zeros(0)
    batch = Batch(empty, empty.numpy(), ys, lengths.numpy(), empty, empty, empty)
    theirs, logits = model.sampler(memory, memory_lengths, ys, lengths, acoustic)
    ours, first_pass = glance(model, memory, memory_lengths, batch, acoustic)
    valid = ys >= 0
    assert torch.equal(first_pass[valid], logits.argmax(-1)[valid])
    known = model.decoder.embed(ys.clamp(min=0))
    for row, count in enumerate(lengths.tolist()):
        given = [
            {
                token
                for token in range(count)
                if not torch.equal(mixed[row, token], acoustic[row, token])
            }
            for mixed in (ours, theirs)
        ]
        assert len(given[0]) == len(given[1]) and (ours[row, count:] == 0).all()
        assert all(torch.equal(ours[row, token], known[row, token]) for token in given[0])


def test_loaders_make_other_batches_each_and_keep_what_the_host_needs():
    import torch

    from lab.training.loading import load_batches
    from lab.training.streaming_windows import plan_windows

    def make(seed):
        while True:
            yield plan_windows([seed % 47 + 1, 7])

    alone = next(load_batches(make, 3, 0, torch.device("cpu")))
    assert torch.equal(alone.own, plan_windows([4, 7]).own) and isinstance(alone.most, int)
    batches = load_batches(make, 1, 2, torch.device("cpu"))
    owned = {int((next(batches).own[0] >= 0).sum()) for _ in range(4)}
    assert owned == {int((plan_windows([s % 47 + 1]).own >= 0).sum()) for s in (1001, 2001)}


@pytest.mark.parametrize("name", ["sensevoice", "paraformer_online"])
def test_a_committed_export_gives_its_weights_back(tmp_path, name):
    import onnx

    from lab.training import models
    from lab.training.export import export_onnx
    from lab.training.recover_weights import recover, weights_in_order

    committed = ROOT / "embedded_models" / name
    pieces = json.loads((committed / "tokens.json").read_text(encoding="utf-8"))
    config = models.sensevoice_config() if name == "sensevoice" else models.streaming_config()
    weights = recover(models.build_model(config, len(pieces)), config, committed)
    model = models.build_model(config, len(pieces))
    model.load_state_dict(weights, strict=False)
    export_onnx(model, config, tmp_path)
    for path in tmp_path.glob("*.onnx"):
        onnx.checker.check_model(str(path))
        found, expected = weights_in_order(path), weights_in_order(committed / path.name)
        assert all(map(np.array_equal, found, expected))
    smaller = models.build_model(config, len(pieces) - 1)
    with pytest.raises(ValueError, match="expected a graph like"):
        recover(smaller, config, committed)


def test_what_no_export_has_comes_from_the_offline_model():
    from lab.training.models import build_model, streaming_config
    from lab.training.recover_weights import ONLY_IN_TRAINING, only_in_training

    offline = ROOT / "embedded_models" / "paraformer"
    tokens = json.loads((offline / "tokens.json").read_text(encoding="utf-8"))
    found = only_in_training(offline, tokens)
    wanted = build_model(streaming_config(), len(tokens)).state_dict()
    assert found.keys() == {*ONLY_IN_TRAINING}
    for name, weight in found.items():
        assert (weight.shape, weight.dtype) == (wanted[name].shape, wanted[name].dtype)
    with pytest.raises(ValueError, match="streaming model's tokens"):
        only_in_training(offline, tokens[::-1])


def test_short_recordings_have_the_shortest_of_several_sentences(tmp_path):
    from lab.training.synthesis import make_shard

    def texts(number, share):
        make_shard("ko", number, tmp_path, 25, nonspeech_share=0.0, short_share=share)
        lines = (tmp_path / f"ko_{number:05d}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["spoken"] for line in lines]

    usual, short = (sorted(map(len, texts(7, share))) for share in (0.0, 1.0))
    assert short[12] < usual[12] / 2
