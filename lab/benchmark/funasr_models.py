"""What FunASR's websocket server loads beside the recogniser; its `AutoModel` imports this file.

See `funasr_server`.
"""

import torch
from funasr.models.fsmn_vad_streaming.model import FsmnVADStreaming
from funasr.register import tables

_DOUBT = 1e-6


@tables.register("model_classes", "DoubtfulVad")
class DoubtfulVad(FsmnVADStreaming):
    """FunASR's VAD, never quite sure.

    It takes the logarithm of the probabilities of silence and of its contrary, and the embedded
    model knows digital silence so well that one of them is 0.
    """

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.encoder.register_forward_hook(
            lambda _module, _inputs, scores: scores.clamp(_DOUBT, 1 - _DOUBT)
        )


@tables.register("model_classes", "NoSpeaker")
class NoSpeaker(torch.nn.Module):
    """A speaker model that does nothing, for a server that cannot do without one."""

    def __init__(self, **_settings: object) -> None:
        super().__init__()
        self.embedding = torch.nn.Parameter(torch.zeros(1, 1), requires_grad=False)

    def inference(
        self, data_in: object, **_settings: object
    ) -> tuple[list[dict[str, torch.Tensor]], dict[str, float]]:
        """Return the embedding, float32 [1, 1], and a length of audio that is not 0."""
        return [{"spk_embedding": self.embedding}], {"batch_data_time": 1.0}
