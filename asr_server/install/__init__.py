"""From a published or fine-tuned model to an installed one.

Order, carry_out    the whole way: find, download, export, prepare, verify, keep, install
install             an exported model of this machine into a model repository
install_embedded    the small models that come along, where none is installed
list_models, ...    the models that are kept
"""

from asr_server.install.agreement import read_texts
from asr_server.install.embedded import install_embedded
from asr_server.install.installed import Material
from asr_server.install.into_repository import install
from asr_server.install.order import Order, carry_out
from asr_server.install.precision import choose, install_converted
from asr_server.install.store import find_model, list_models, put_in_place, read_manifest

__all__ = [
    "Material",
    "Order",
    "carry_out",
    "choose",
    "find_model",
    "install",
    "install_converted",
    "install_embedded",
    "list_models",
    "put_in_place",
    "read_manifest",
    "read_texts",
]
