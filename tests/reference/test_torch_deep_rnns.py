"""Variational dropout: one mask for a whole sequence, in training only."""

from __future__ import annotations

import pytest
import torch

from solutions.with_torch.deep_rnns import VariationalDropout


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_feature_is_dropped_at_every_step_or_at_none(batch_first, dtype, device) -> None:
    torch.manual_seed(0)
    x = torch.rand(9, 5, 40, device=device, dtype=dtype) + 1
    y = VariationalDropout(0.5, batch_first)(x)
    time = 1 if batch_first else 0
    mask = y / x
    assert y.dtype == dtype and y.shape == x.shape
    assert bool(((mask.float() - 2).abs() < 0.02).logical_or(mask == 0).all())
    assert bool(((mask != 0) == (mask != 0).select(time, 0).unsqueeze(time)).all())
    assert 0 < float((mask == 0).float().mean()) < 1
    assert not torch.equal((mask != 0).select(1 - time, 0), (mask != 0).select(1 - time, 1))  # own masks


def test_the_expected_value_stays_and_the_share_dropped_is_p(device) -> None:
    torch.manual_seed(1)
    y = VariationalDropout(0.25)(torch.ones(2, 1000, 50, device=device))
    assert abs(float(y.mean()) - 1) < 0.01 and abs(float((y == 0).float().mean()) - 0.25) < 0.01


def test_gradients_pass_where_the_features_passed(device) -> None:
    torch.manual_seed(2)
    x = torch.randn(4, 2, 6, device=device, dtype=torch.float64, requires_grad=True)
    y = VariationalDropout(0.5)(x)
    (dx,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(dx, torch.where(y != 0, 2.0, 0.0).to(dx.dtype))


def test_nothing_happens_outside_training_or_without_dropout(device) -> None:
    x = torch.randn(4, 2, 6, device=device)
    layer = VariationalDropout(0.5).eval()
    assert torch.equal(layer(x), x) and torch.equal(VariationalDropout(0.0)(x), x)
    assert not VariationalDropout(1.0)(x).any()


def test_one_sequence_without_a_batch(device) -> None:
    torch.manual_seed(3)
    for batch_first in (True, False):
        y = VariationalDropout(0.5, batch_first)(torch.ones(7, 30, device=device))
        assert bool((y == y[0]).all()) and 0 < int((y[0] == 0).sum()) < 30


def test_it_says_what_was_got_and_expected() -> None:
    with pytest.raises(ValueError, match="p: got 1.5"):
        VariationalDropout(1.5)
    with pytest.raises(ValueError, match="input: got shape"):
        VariationalDropout()(torch.zeros(3))
