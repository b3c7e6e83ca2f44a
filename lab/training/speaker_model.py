"""The embedded speaker model: FunASR's CAM++ with few channels, and its loss.

Its own front convolutions have 32 channels whatever the configuration says, which is most of the
work; here they have `FRONT_CHANNELS`.
"""

from __future__ import annotations

from typing import Any

import torch
from funasr.models.campplus.components import FCM, TDNNLayer
from funasr.models.campplus.model import CAMPPlus

EMBEDDING = 192
FRONT_CHANNELS, INIT_CHANNELS, GROWTH = 8, 64, 8

SCALE, MARGIN = 30.0, 0.2
"""Of the additive-margin softmax (Wang et al. 2018)."""


def build_speaker_model(values: int = EMBEDDING) -> Any:
    """A model with fresh weights: features [B, T, 80] to embeddings [B, `values`]."""
    model = CAMPPlus(
        embedding_size=values,
        growth_rate=GROWTH,
        init_channels=INIT_CHANNELS,
        memory_efficient=False,
    )
    model.head = FCM(m_channels=FRONT_CHANNELS, feat_dim=80)
    channels = model.head.out_channels
    model.xvector.tdnn = TDNNLayer(channels, INIT_CHANNELS, 5, stride=2, padding=-1)
    return model


class SpeakerClassifier(torch.nn.Module):
    """The model with a direction for each speaker of the training; `loss` wants the right one."""

    def __init__(self, speakers: int) -> None:
        super().__init__()
        self.model = build_speaker_model()
        self.directions = torch.nn.Parameter(torch.randn(speakers, EMBEDDING) * 0.1)

    def loss(
        self, features: torch.Tensor, speakers: torch.Tensor, margin: float
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Cross entropy of cosines, the right one's less `margin`; with the share that is right."""
        with torch.autocast("cpu" if not features.is_cuda else "cuda", torch.bfloat16):
            embeddings = self.model(features)
        normalise = torch.nn.functional.normalize
        cosines = normalise(embeddings.float()) @ normalise(self.directions).T
        right = torch.zeros_like(cosines).scatter_(1, speakers[:, None], margin)
        loss = torch.nn.functional.cross_entropy(SCALE * (cosines - right), speakers)
        with torch.no_grad():
            accuracy = (cosines.argmax(1) == speakers).float().mean()
        return loss, {"loss": loss.detach(), "accuracy": accuracy}
