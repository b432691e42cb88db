"""A network in training: its weights, their moving average, its optimizer, and how they are kept."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.artifact import replacing
from model.blocks import Detector
from model.checkpoint import load_checkpoint
from model.errors import InputError
from model.featherface_v2 import FeatherFaceV2
from model.networks import network_named, spec_of
from model.spec import DetectorSpec
from model.training.batches import Batch
from model.training.losses import Losses, anchor_losses
from model.training.recipe import Recipe
from model.training.start import channels_last, start_from
from model.training.views import VIEW

BACKBONES = ("backbone.", "body.")


class DivergedError(Exception):
    """The loss or the gradient is no number any more; the last checkpoint still is."""


class Student:
    """Trains one network, a step at a time.

    Attributes:
        recipe: What it is trained by.
        spec: Conventions of its input.
        network, average: The trained weights, and their exponential moving average (evaluation mode).
        samples, steps: Pictures and batches seen.
    """

    def __init__(self, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.spec: DetectorSpec = spec_of(recipe.network, VIEW, VIEW)
        self.network: Detector = channels_last(network_named(recipe.network).build())
        self.average: Detector = copy.deepcopy(self.network).eval()
        self.samples = self.steps = 0
        self.optimizer = torch.optim.AdamW(
            self._groups(), weight_decay=recipe.weight_decay, betas=(0.9, 0.99), foreach=True
        )

    def _groups(self) -> list[dict[str, Any]]:
        """Backbone and rest, weights and (undecayed) biases and scales."""
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            groups.setdefault((name.startswith(BACKBONES), parameter.ndim > 1), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": 0.0,
                "full_rate": self.recipe.backbone_rate if backbone else self.recipe.rate,
                "weight_decay": self.recipe.weight_decay if decayed else 0.0,
            }
            for (backbone, decayed), parameters in groups.items()
        ]

    def start(self, checkpoint: Path, network: str) -> None:
        """Take the backbone of another network's checkpoint; see `start_from`."""
        if not isinstance(self.network, FeatherFaceV2):
            raise InputError(f"only featherface_v2 can start from another network, not {self.recipe.network}")
        start_from(self.network, load_checkpoint(checkpoint, network).network, spec_of(network, VIEW, VIEW))
        self.average.load_state_dict(self.network.state_dict())

    def start_weights(self, checkpoint: Path) -> None:
        """Take all weights of a checkpoint of the same network."""
        loaded = load_checkpoint(checkpoint, self.recipe.network).network
        self.network.load_state_dict(loaded.state_dict())
        self.average.load_state_dict(self.network.state_dict())

    def inputs(self, pixels: Tensor) -> Tensor:
        """uint8 RGB [B, S, S, 3] -> the network's input [B, 3, S, S], channels last in memory."""
        x = pixels.float()
        if self.spec.channel_order == "BGR":
            x = x.flip(3)
        if any(self.spec.mean):
            x = x - torch.tensor(self.spec.mean)
        return x.permute(0, 3, 1, 2)

    def step(self, batch: Batch) -> Losses:
        """Learn one batch.

        Raises:
            DivergedError: the loss or the gradient is not finite; the weights are as before.
        """
        self.network.train()
        if isinstance(self.network, FeatherFaceV2):
            self.network.learn_statistics(self.samples < self.recipe.statistics_samples)
        factor = self.recipe.rate_factor(self.samples)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * factor
        outputs = self.network.predict(self.network.features(self.inputs(batch.pixels)))
        losses = anchor_losses(outputs, batch)
        total = losses.total(self.recipe.weights_at(self.samples))
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip, foreach=True)
        if not (torch.isfinite(total) and torch.isfinite(norm)):
            raise DivergedError(
                f"step {self.steps}: loss {float(total.detach()):g}, norm of the gradient {float(norm):g}"
            )
        self.optimizer.step()
        self.steps += 1
        self.samples += len(batch)
        self._follow()
        return losses

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average; faster in the beginning, when it would remember the random start."""
        decay = min(self.recipe.average, (1 + self.steps) / (10 + self.steps))
        mine = [v for v in self.network.state_dict().values() if v.dtype.is_floating_point]
        theirs = [v for v in self.average.state_dict().values() if v.dtype.is_floating_point]
        torch._foreach_lerp_(theirs, mine, 1 - decay)

    def save(self, path: Path) -> None:
        """Write everything that a resumed training needs, whole or not at all."""
        with replacing(path) as temporary:
            torch.save(
                {
                    "recipe": self.recipe.to_json(),
                    "samples": self.samples,
                    "steps": self.steps,
                    "network": self.network.state_dict(),
                    "average": self.average.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                },
                temporary,
            )

    def save_weights(self, path: Path) -> None:
        """Write the averaged weights alone, as `load_checkpoint` reads them."""
        with replacing(path) as temporary:
            torch.save({k: v.contiguous() for k, v in self.average.state_dict().items()}, temporary)

    @classmethod
    def resume(cls, path: Path, recipe: Recipe | None = None) -> Student:
        """Read what `save` wrote.

        Args:
            path: The file.
            recipe: Goes on by this recipe instead of the saved one (another length, say).

        Raises:
            InputError: absent, damaged or of another network.
        """
        if not path.is_file():
            raise InputError(f"no such training state: {path}")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            saved = Recipe.from_json(state["recipe"])
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, EOFError) as error:
            raise InputError(
                f"{path} is no training state of this version ({type(error).__name__})"
            ) from None
        recipe = recipe or saved
        if recipe.network != saved.network:
            raise InputError(f"{path} trains {saved.network}, not {recipe.network}")
        student = cls(recipe)
        student.network.load_state_dict(state["network"])
        student.average.load_state_dict(state["average"])
        student.optimizer.load_state_dict(state["optimizer"])
        for group, fresh in zip(student.optimizer.param_groups, student._groups(), strict=True):
            group["full_rate"], group["weight_decay"] = fresh["full_rate"], fresh["weight_decay"]
        student.samples, student.steps = state["samples"], state["steps"]
        return student
