"""A network in training: its weights, their moving average, its optimizer, and how they are kept."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.checkpoint import load_checkpoint
from model.foundation.artifact import replacing
from model.foundation.errors import InputError
from model.geometry.spec import DetectorSpec
from model.layers.blocks import Detector
from model.networks import NETWORKS, spec_of
from model.networks.featherface_v2 import FeatherFaceV2
from model.training.batches import Batch
from model.training.losses import LOSSES, Losses, feature_loss
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

    def __init__(self, recipe: Recipe, device: str = "cpu", teacher_width: int = 0) -> None:
        """Build fresh weights.

        Args:
            recipe: What to train, and how.
            device: "cpu" or "cuda".
            teacher_width: Channels of the teacher's features, where the recipe distils them.
        """
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.device = torch.device(device)
        self.half = self.device.type == "cuda"  # bfloat16 gained 10 % on a CPU that has it: not worth it
        self.spec: DetectorSpec = spec_of(recipe.network, VIEW, VIEW)
        self.network: Detector = channels_last(NETWORKS[recipe.network].build()).to(self.device)
        self._hold()
        self.adapters: nn.ModuleList | None = None
        if recipe.features_until > 0:
            self.adapters = self._fresh_adapters(teacher_width)
        self.average: Detector = copy.deepcopy(self.network).eval()
        self.samples = self.steps = 0
        self.optimizer = torch.optim.AdamW(
            self._groups(), weight_decay=recipe.weight_decay, betas=(0.9, 0.99), foreach=True
        )

    def _fresh_adapters(self, teacher_width: int) -> nn.ModuleList:
        """A 1x1 convolution a level from the student's channels to the teacher's; thrown away at the end."""
        if teacher_width < 1:
            raise InputError(
                "the recipe distils features, which needs a teacher at hand instead of cached views"
            )
        with torch.no_grad():
            levels = self.network.eval().features(torch.zeros(1, 3, 64, 64, device=self.device))
        return nn.ModuleList(nn.Conv2d(level.shape[1], teacher_width, 1) for level in levels).to(self.device)

    def _hold(self) -> None:
        """Take the first blocks of the backbone out of the training."""
        if self.recipe.held_blocks <= 0:
            return
        if not isinstance(self.network, FeatherFaceV2):
            raise InputError(f"held_blocks is for featherface_v2 only, not for {self.recipe.network}")
        backbone = self.network.backbone
        blocks = [backbone.stem, *backbone.stage1, *backbone.stage2, *backbone.stage3]
        for block in blocks[: self.recipe.held_blocks]:
            block.requires_grad_(False)

    def _groups(self) -> list[dict[str, Any]]:
        """Backbone and rest, weights and (undecayed) biases and scales."""
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            groups.setdefault((name.startswith(BACKBONES), parameter.ndim > 1), []).append(parameter)
        if self.adapters is not None:
            for parameter in self.adapters.parameters():
                groups[False, parameter.ndim > 1].append(parameter)
        return [
            {
                "params": parameters,
                "lr": 0.0,
                "full_rate": self.recipe.backbone_rate if backbone else self.recipe.rate,
                "weight_decay": self.recipe.weight_decay if decayed else 0.0,
            }
            for (backbone, decayed), parameters in groups.items()
        ]

    def start(self, checkpoint: Path, network: str) -> FeatherFaceV2:
        """Take the backbone of another network's checkpoint; see `start_from`."""
        if not isinstance(self.network, FeatherFaceV2):
            raise InputError(f"only featherface_v2 can start from another network, not {self.recipe.network}")
        start_from(self.network, load_checkpoint(checkpoint, network).network, spec_of(network, VIEW, VIEW))
        self.average.load_state_dict(self.network.state_dict())
        return self.network

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
            x = x - torch.tensor(self.spec.mean, device=x.device)
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
        losses, total = self._losses(batch.to(self.device))
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

    def _losses(self, batch: Batch) -> tuple[Losses, Tensor]:
        """The parts of the loss, and their weighted sum."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            features = self.network.features(self.inputs(batch.pixels))
            outputs = self.network.predict(features)
        boxes, logits, landmarks = (output.float() for output in outputs)
        losses = LOSSES[self.recipe.loss]((boxes, logits, landmarks), batch)
        total = losses.total(self.recipe.weights_at(self.samples))
        if batch.features and (weight := self.recipe.feature_weight_at(self.samples)) > 0:
            adapters = self.adapters or ()
            adapted = [adapter(level.float()) for adapter, level in zip(adapters, features, strict=True)]
            total = total + weight * feature_loss(adapted, batch.features)
        return losses, total

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
                    "adapters": self.adapters.state_dict() if self.adapters is not None else {},
                    "optimizer": self.optimizer.state_dict(),
                },
                temporary,
            )

    def save_weights(self, path: Path) -> None:
        """Write the averaged weights alone, as `load_checkpoint` reads them."""
        with replacing(path) as temporary:
            torch.save(
                {name: value.cpu().contiguous() for name, value in self.average.state_dict().items()},
                temporary,
            )

    def restore(self, path: Path) -> None:
        """Go on where `save` stopped; lengths and rates are those of this student's own recipe.

        Raises:
            InputError: absent, damaged, or of another network or seed.
        """
        if not path.is_file():
            raise InputError(f"no such training state: {path}")
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            saved = Recipe.from_json(state["recipe"])
            if (saved.network, saved.seed) != (self.recipe.network, self.recipe.seed):
                raise InputError(
                    f"{path} trains {saved.network} with seed {saved.seed}, not {self.recipe.network} "
                    f"with seed {self.recipe.seed}: choose another output folder"
                )
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            if self.adapters is not None:
                self.adapters.load_state_dict(state["adapters"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError, EOFError) as error:
            raise InputError(
                f"{path} is no training state of this version ({type(error).__name__})"
            ) from None
        for group, fresh in zip(self.optimizer.param_groups, self._groups(), strict=True):
            group["full_rate"], group["weight_decay"] = fresh["full_rate"], fresh["weight_decay"]
        self.samples, self.steps = state["samples"], state["steps"]
