"""What the `model.py` files of the repositories share: tensors, answers, other models, sessions.

Imported by Triton's Python processes only, which bring `triton_python_backend_utils`.
"""
