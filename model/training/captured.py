"""Networks in half precision, and as CUDA graphs: a small network leaves a GPU waiting for the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Captured:
    """Calls a module, through one CUDA graph for each shape of its input; on a CPU it just calls it.

    On a GPU all is bfloat16; on a CPU only what learns nothing is, and takes half the time.

    Gradients flow through it. The weights may change, the module's mode may not: `forget` then.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.graphs: dict[torch.Size, Callable[[Tensor], Any]] = {}

    def forget(self) -> None:
        """Let all graphs go."""
        self.graphs.clear()

    def __call__(self, x: Tensor) -> Any:
        if x.device.type != "cuda":
            return self.module(x) if torch.is_grad_enabled() else _Half(self.module)(x)
        if x.shape not in self.graphs:
            call = _learning(self.module, x) if torch.is_grad_enabled() else _answering(self.module, x)
            self.graphs[x.shape] = call
        return self.graphs[x.shape](x)


class _Half(nn.Module):
    """A module in bfloat16, channels last; its own object, because capturing replaces its forward."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Any:
        with torch.autocast(x.device.type, torch.bfloat16, cache_enabled=False):
            return self.module(x.contiguous(memory_format=torch.channels_last))


def _learning(module: nn.Module, x: Tensor) -> Callable[[Tensor], Any]:
    graphed: Callable[[Tensor], Any] = torch.cuda.make_graphed_callables(
        _Half(module).train(module.training), (x.detach().clone(),)
    )
    return graphed


def _answering(module: nn.Module, x: Tensor) -> Callable[[Tensor], Any]:
    half, given = _Half(module).train(module.training), x.detach().clone()
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # what is chosen at the first calls must not be captured
        for _ in range(3):
            half(given)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answers = half(given)

    def replay(x: Tensor) -> Any:
        given.copy_(x)
        graph.replay()
        return tuple(answer.clone() for answer in answers)

    return replay
