"""Any PyTorch network: `package.module:function` returns it, named on the command line alone."""

from __future__ import annotations

from pathlib import Path

from convert.doors import Opened
from model.foundation.errors import InputError
from model.foundation.named_function import named_function
from model.geometry.spec import DetectorSpec


def open_function(name: str, checkpoint: Path, spec: DetectorSpec) -> Opened:
    """Build a network and load its weights.

    Args:
        name: "package.module:function", found from the working folder; it returns an `nn.Module` whose
            forward takes float32 [1, 3, H, W], scaled as the spec says, and returns the spec's outputs.
        checkpoint: The network's state_dict (.pth), read without running code.
        spec: Says how to feed and read it.

    Raises:
        InputError: there is no such function, it fails or returns something else, or the weights are not
            the network's.
    """
    import torch

    from model.checkpoint import load_state

    build = named_function(name)
    try:
        network = build()
    except Exception as error:  # whatever a stranger's code raises
        raise InputError(f"{name} cannot be called ({type(error).__name__}: {error})") from None
    if not isinstance(network, torch.nn.Module):
        raise InputError(f"{name} returned a {type(network).__name__}; expected an nn.Module")
    notes = load_state(network, checkpoint, name)
    network.eval()
    with torch.inference_mode():
        try:
            found = network(torch.zeros(1, 3, spec.input_height, spec.input_width))
        except Exception as error:  # whatever a stranger's code raises
            raise InputError(f"{name}: its network fails on an image ({error})") from None
    from model.geometry.outputs import physical_names

    expected = len(physical_names(spec))
    if not isinstance(found, tuple | list) or len(found) != expected:
        count = len(found) if isinstance(found, tuple | list) else 1
        raise InputError(f"{name}: its network returns {count} output(s), the spec describes {expected}")
    return Opened(network, spec, checkpoint, notes)
