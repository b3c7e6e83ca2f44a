"""What a GPU can do, asked of its driver: the CUDA library itself, which a card comes with."""

from __future__ import annotations

import ctypes

_DRIVER = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*, cuda.h


def compute_capability(device_id: int, driver: str = _DRIVER) -> str | None:
    """Return a GPU's compute capability as Triton's configurations write it, such as "9.0".

    Args:
        device_id: its number among those that this process sees.
        driver: the library to ask.

    Returns:
        None where there is no driver, or it does not know the device.
    """
    try:
        cuda = ctypes.CDLL(driver)
    except OSError:
        return None
    device = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), device_id):
        return None
    numbers = []
    for attribute in (_MAJOR, _MINOR):
        value = ctypes.c_int()
        if cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device):
            return None
        numbers.append(value.value)
    return f"{numbers[0]}.{numbers[1]}"
