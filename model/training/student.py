"""A network in training: its weights, their moving average, its optimizer, and how they are kept."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.checkpoint import load_checkpoint, read_saved, write_saved
from model.foundation.damage import damage_is_said
from model.foundation.errors import InputError
from model.foundation.records import from_json, to_json
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector, Outputs
from model.networks import NETWORKS, spec_of
from model.networks.featherface_v2 import ConvBn
from model.training.batches import Batch
from model.training.captured import Captured
from model.training.losses import Losses, losses
from model.training.recipe import BASE, Recipe

CHECKED = 20
"""Losses are looked at every so many steps: asking makes a GPU wait."""


class DivergedError(Exception):
    """The loss or the gradient is no number any more; the last checkpoint still is."""


def channels_last(network: Detector) -> Detector:
    """The network with its weights laid out as convolutions are fastest (NHWC)."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def network_inputs(pixels: Tensor, spec: DetectorSpec) -> Tensor:
    """RGB [B, S, S, 3] in 0..255 -> a bare network's input [B, 3, S, S], channels last in memory."""
    x = pixels.float()
    if spec.channel_order == "BGR":
        x = x.flip(3)
    if any(spec.mean):
        x = x - torch.tensor(spec.mean, device=x.device)
    if spec.std != (1.0, 1.0, 1.0):
        x = x / torch.tensor(spec.std, device=x.device)
    return x.permute(0, 3, 1, 2)


class _Logits(nn.Module):
    """A detector without its last step, from logits to probabilities."""

    def __init__(self, network: Detector) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Outputs:
        return self.network.predict(self.network.features(pixels))


class Student:
    """Trains one network, a step at a time.

    Attributes:
        recipe: What it is trained by.
        spec: Conventions of its input.
        network, average: The trained weights, and their exponential moving average (evaluation mode).
        steps: Batches seen.
    """

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """Build fresh weights."""
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.device = torch.device(device)
        self.spec = spec_of(recipe.network, BASE, BASE)
        if self.spec.decoder != "anchor_offsets" or self.spec.points != 5:
            raise InputError(
                f"{recipe.network} answers with {self.spec.decoder} and {self.spec.points} landmarks: only "
                "networks of anchor_offsets and 5 landmarks can be trained here"
            )
        self.network = channels_last(NETWORKS[recipe.network].build()).to(self.device)
        self.average = copy.deepcopy(self.network).eval()
        self.answer = Captured(_Logits(self.network))
        self.learns: bool | None = None
        self.steps = 0
        self.optimizer = torch.optim.AdamW(self._groups(), lr=0.0, betas=(0.9, 0.99), foreach=True)

    def _groups(self) -> list[dict[str, Any]]:
        """Weights, and (undecayed) biases and scales."""
        parameters = list(self.network.parameters())
        return [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]

    @property
    def samples(self) -> int:
        """Views of BASE pixels seen."""
        return self.steps * self.recipe.pictures

    def start_from(self, checkpoint: Path) -> None:
        """Take all weights of a checkpoint of the same network."""
        loaded = load_checkpoint(checkpoint, self.recipe.network).network
        self.network.load_state_dict(loaded.state_dict())
        self.average.load_state_dict(self.network.state_dict())

    def step(self, batch: Batch) -> Losses:
        """Learn one batch.

        Raises:
            DivergedError: the loss or the gradient is not finite; the weights are as before.
        """
        self._mode()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate * self.recipe.rate_factor(self.steps)
        parts = self._losses(batch)
        total = parts.total(self.recipe.loss_weights)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip, foreach=True)
        if self.steps % CHECKED == 0 and not torch.isfinite(total + norm):
            raise DivergedError(
                f"step {self.steps}: loss {float(total.detach()):g}, norm of the gradient {float(norm):g}"
            )
        self.optimizer.step()
        self.steps += 1
        self._follow()
        return parts

    def _mode(self) -> None:
        """Batch norm learns its statistics, or holds them."""
        learns = self.recipe.learns_statistics(self.steps)
        if learns == self.learns:
            return
        self.learns = learns
        self.answer.forget()
        self.network.train()
        for module in self.network.modules():
            if isinstance(module, ConvBn):
                module.learn_statistics = learns
            elif isinstance(module, nn.BatchNorm2d):
                module.train(learns)

    def _losses(self, batch: Batch) -> Losses:
        side = batch.pixels.shape[1]
        boxes, logits, landmarks = (
            output.float() for output in self.answer(network_inputs(batch.pixels, self.spec))
        )
        spec = spec_of(self.recipe.network, side, side)
        trust = self.recipe.trust_at(self.steps)
        return losses((boxes, logits, landmarks), batch.faces, spec, batch.teacher, trust)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average; faster in the beginning, when it would remember the random start."""
        decay = min(self.recipe.average, (1 + self.steps) / (10 + self.steps))
        mine = [v for v in self.network.state_dict().values() if v.dtype.is_floating_point]
        theirs = [v for v in self.average.state_dict().values() if v.dtype.is_floating_point]
        torch._foreach_lerp_(theirs, mine, 1 - decay)

    def save(self, path: Path) -> None:
        """Write everything that a resumed training needs, whole or not at all."""
        state = {
            "recipe": to_json(self.recipe),
            "steps": self.steps,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        write_saved(path, state)

    def save_weights(self, path: Path) -> None:
        """Write the averaged weights alone, as `load_checkpoint` reads them."""
        state = self.average.state_dict()
        write_saved(path, {name: value.cpu().contiguous() for name, value in state.items()})

    def restore(self, path: Path) -> None:
        """Go on where `save` stopped.

        Raises:
            InputError: absent, damaged, or of another recipe.
        """
        state = read_saved(path, self.device)
        with damage_is_said(f"{path} is no training state of this version"):
            if (saved := from_json(Recipe, state["recipe"], str(path))) != self.recipe:
                raise InputError(
                    f"{path} belongs to another recipe ({saved.network}, seed {saved.seed}, "
                    f"{saved.samples:,} samples): choose another output folder"
                )
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.steps = int(state["steps"])
