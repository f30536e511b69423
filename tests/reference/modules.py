"""What the tests of the PyTorch layers share: one of ours beside its twin, their results and their gradients."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor, nn

from tests.reference.agreement import relative_error

torch.backends.cudnn.allow_tf32 = False  # float32 is compared as float32, on a GPU too
CLOSE = {torch.float64: 1e-12, torch.float32: 1e-5}


def flat(value) -> list[Tensor]:
    """The tensors of nested tuples, in order."""
    return [value] if isinstance(value, Tensor) else list(itertools.chain.from_iterable(flat(part) for part in value))


def error(one: Tensor, two: Tensor) -> float:
    """The relative error of two tensors on whatever device."""
    return relative_error(one.detach().double().cpu().numpy(), two.detach().double().cpu().numpy())


def assert_same(one, two, tolerance: float = 1e-12) -> None:
    """Every tensor of one beside that of the other, shapes and dtypes included."""
    pairs = list(zip(flat(one), flat(two), strict=True))
    for mine, theirs in pairs:
        assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
        assert error(mine, theirs) < tolerance


def draw(rng: np.random.Generator, *shape: int, device: str = "cpu", dtype=torch.float64) -> Tensor:
    return torch.as_tensor(rng.normal(size=shape), dtype=dtype, device=device)


def with_gradients(layer: nn.Module, x: Tensor, hx=None, through: str = "all", **more) -> list[Tensor]:
    """The outputs of ``layer(x, hx)``, and the gradients of an uneven loss by the inputs and every parameter.

    ``through`` says what the loss sees: every ``"all"``, the ``"outputs"``, the ``"last"`` output or the ``"state"``.
    """
    x = x.clone().requires_grad_()
    states = [] if hx is None else [s.clone().requires_grad_() for s in flat(hx)]
    given = None if hx is None else states[0] if isinstance(hx, Tensor) else tuple(states)
    output, final = layer(x, given, **more)
    seen = {
        "all": [output, *flat(final)],
        "outputs": [output],
        "last": [output[-1:]],
        "state": flat(final),
    }[through]
    loss = sum(
        (part * torch.cos(torch.arange(part.numel(), device=x.device).view_as(part) + 0.3)).sum() for part in seen
    )
    loss = loss + sum((part**3).sum() for part in seen)
    inputs = [x, *states, *layer.parameters()]
    gradients = torch.autograd.grad(loss, inputs, allow_unused=True)
    filled = [torch.zeros_like(i) if gradient is None else gradient for gradient, i in zip(gradients, inputs)]
    return [output, *flat(final), *filled]


def twins(ours: nn.Module, theirs: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The two with the same parameters, loaded both ways: each takes the other's ``state_dict`` as it is."""
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs
