"""A network in quantization-aware training: shared weights, scales of each input size, the optimizer."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model.foundation.artifact import replacing
from model.foundation.errors import InputError
from model.training.batches import Batch
from model.training.losses import LOSSES, Losses
from model.training.student import DivergedError
from quantize.qat.mirror import Mirror
from quantize.qat.schedule import Schedule

LOSS = "focal"


class Trainee:
    """Trains the mirrors of all input sizes together.

    Attributes:
        mirrors: Side of the input in pixels -> mirror; all have the same weights.
        steps: Batches seen.
    """

    def __init__(self, mirrors: Mapping[int, Mirror], schedule: Schedule, device: str = "cpu") -> None:
        self.mirrors, self.schedule, self.device = dict(mirrors), schedule, torch.device(device)
        self.steps = 0
        self.weights = next(iter(self.mirrors.values())).weights.to(self.device)
        for mirror in self.mirrors.values():
            mirror.to(self.device)
        trained = [weight for weight in self.weights.parameters() if weight.requires_grad]
        scales = [mirror.scales.logarithm for mirror in self.mirrors.values()]
        self.optimizer = torch.optim.Adam(
            [
                {"params": trained, "lr": 0.0, "full_rate": schedule.rate},
                {"params": scales, "lr": 0.0, "full_rate": schedule.scale_rate},
            ],
            foreach=True,
        )

    @property
    def sides(self) -> list[int]:
        """Input sizes, ascending."""
        return sorted(self.mirrors)

    def step(self, batch: Batch) -> Losses:
        """Learn one batch; its pictures are of one of the sizes.

        Raises:
            DivergedError: the loss or the gradient is not finite; nothing was changed.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * self.schedule.factor(self.steps)
        learn = self.schedule.scales_learn(self.steps)
        for mirror in self.mirrors.values():
            mirror.scales.logarithm.requires_grad_(learn)
        batch = batch.to(self.device)
        losses = LOSSES[LOSS](self.mirrors[batch.pixels.shape[1]](batch.pixels), batch)
        total = losses.total(self.schedule.loss_weights)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.schedule.clip, foreach=True)
        if not (torch.isfinite(total) and torch.isfinite(norm)):
            raise DivergedError(
                f"step {self.steps}: loss {float(total.detach()):g}, norm of the gradient {float(norm):g}"
            )
        self.optimizer.step()
        self.steps += 1
        return losses

    def save(self, path: Path) -> None:
        """Write what a resumed training needs, whole or not at all."""
        with replacing(path) as temporary:
            torch.save(self._state(), temporary)

    def _state(self) -> dict[str, Any]:
        return {
            "schedule": self.schedule.to_json(),
            "steps": self.steps,
            "weights": self.weights.state_dict(),
            "scales": {side: mirror.scales.state_dict() for side, mirror in self.mirrors.items()},
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, path: Path) -> None:
        """Go on where `save` stopped.

        Raises:
            InputError: absent, damaged, or of another network, other sizes or another schedule.
        """
        if not path.is_file():
            raise InputError(f"no such training state: {path}")
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            if state["schedule"] != self.schedule.to_json() or sorted(state["scales"]) != self.sides:
                raise InputError(
                    f"{path} is of another schedule or other sizes: delete it, or choose another folder"
                )
            self.weights.load_state_dict(state["weights"])
            for side, scales in state["scales"].items():
                self.mirrors[side].scales.load_state_dict(scales)
            self.optimizer.load_state_dict(state["optimizer"])
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError, EOFError) as error:
            raise InputError(
                f"{path} is no state of this training ({type(error).__name__}): delete it, "
                "or choose another folder"
            ) from None
        self.steps = state["steps"]
