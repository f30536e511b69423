"""Call what a student wrote on one case, and say what happened: in their own notebook, or in the grader's sandbox.

A *call* is plain data, by the kind of what is asked:

- ``function``: ``{"args": [...]}``, passed by position;
- ``module``: a class of ``torch.nn.Module``: ``{"build": [...], "weights": {name: array}, "inputs": [...],
  "upstream": {output: array}, "dtype": "float64", "device": "cpu"}``; ``"meta"`` is a device that computes nothing,
  on which code that makes tensors on the CPU fails;
- ``value``: ``{}``: the object itself is the answer.

An *outcome* is ``{"status", "error", "outputs", "inputs_after"}``: status ``ok``, ``missing``, ``not_callable``,
``stub``, ``raised``, ``none``, ``count`` (another number of outputs), ``not_module``, ``weights`` (other parameters),
``forbidden`` (an operation was used that the exercise asks to build).
"""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np

MISSING = type("Missing", (), {"__repr__": lambda self: "MISSING"})()
Outcome = dict[str, Any]


def outcome(kind: str, target: object, call: dict, outputs: list[str]) -> Outcome:
    """Run ``target`` on one call; every exception of the student's becomes part of the outcome."""
    if target is MISSING:
        return {"status": "missing"}
    if kind == "value":
        return {"status": "none"} if target is None else {"status": "ok", "outputs": {outputs[0]: target}}
    if not callable(target):
        return {"status": "not_callable", "error": {"type": type(target).__name__}}
    try:
        if kind == "module":
            return _call_module(target, call, outputs)
        return _call_function(target, call, outputs)
    except NotImplementedError as error:
        # A stub says nothing more; torch says it too, with words, when an operation does not exist on a device.
        return {"status": "raised" if str(error) else "stub", "error": _error(error)}
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # SystemExit too: a student's function must not end the notebook
        return {"status": "raised", "error": _error(error)}


def _call_function(function: Any, call: dict, names: list[str]) -> Outcome:
    args = [np.array(value) if isinstance(value, np.ndarray) else value for value in call["args"]]
    result = _named(function(*args), names)
    return {**result, "inputs_after": args}


def _named(result: object, names: list[str]) -> Outcome:
    """Give the outputs their names, or say that there are too few, too many or none."""
    if result is None:
        return {"status": "none"}
    if len(names) == 1:
        single = result[0] if isinstance(result, tuple) and len(result) == 1 else result
        return {"status": "ok", "outputs": {names[0]: single}}
    if isinstance(result, np.ndarray) and result.shape == (len(names),):
        result = list(result)  # numbers side by side: a caller unpacks them all the same
    if not isinstance(result, (tuple, list)) or len(result) != len(names):
        got = len(result) if isinstance(result, (tuple, list)) else 1
        return {"status": "count", "error": {"type": type(result).__name__, "count": got}}
    return {"status": "ok", "outputs": dict(zip(names, result))}


def _call_module(cls: Any, call: dict, names: list[str]) -> Outcome:
    import torch

    dtype, device = getattr(torch, call["dtype"]), call["device"]
    module = cls(*call["build"])
    if not isinstance(module, torch.nn.Module):
        return {"status": "not_module", "error": {"type": type(module).__name__}}
    module = module.to(device=device, dtype=dtype)
    weights = {name: torch.as_tensor(value).to(device=device, dtype=dtype) for name, value in call["weights"].items()}
    own = {name: list(value.shape) for name, value in module.state_dict().items()}
    if own != {name: list(value.shape) for name, value in weights.items()}:
        return {"status": "weights", "error": {"type": "weights", "shapes": own}}
    module.load_state_dict(weights)

    inputs = [torch.as_tensor(value).to(device=device, dtype=dtype).requires_grad_() for value in call["inputs"]]
    returned, operations = _watched(lambda: module(*inputs), call.get("forbidden", []))
    used = sorted({name for name in call.get("forbidden", []) if f"aten::{name.rpartition('.')[2]}" in operations})
    if used:
        return {"status": "forbidden", "error": {"type": "forbidden", "message": ", ".join(used)}}
    result = _named(returned, names)
    if result["status"] != "ok":
        return result
    tensors = result["outputs"]
    if not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        kinds = ", ".join(type(tensor).__name__ for tensor in tensors.values())
        return {"status": "not_tensors", "error": {"message": kinds}}
    if device == "meta":
        stays = all(tensor.device.type == "meta" for tensor in tensors.values())
        return {"status": "ok", "outputs": {"device": np.array(float(stays))}}
    outputs = {name: tensor.detach() for name, tensor in tensors.items()}
    if call["upstream"]:
        outputs |= _gradients(module, inputs, tensors, call["upstream"], dtype)
    return {"status": "ok", "outputs": outputs}


def _watched(call: Any, forbidden: list[str]) -> tuple[Any, set[str]]:
    """Run a call; where names are forbidden, also return the operations of torch that it really used."""
    if not forbidden:
        return call(), set()
    from torch.autograd import profiler_legacy  # the newer one writes to the process's own stderr

    with profiler_legacy.profile() as profile:
        result = call()
    return result, {event.name for event in profile.function_events}


def _gradients(module: Any, inputs: list, tensors: dict, upstream: dict, dtype: Any) -> dict:
    import torch

    loss = sum((tensors[name] * torch.as_tensor(value).to(dtype)).sum() for name, value in upstream.items())
    leaves = {f"gradient of input {i}": leaf for i, leaf in enumerate(inputs, 1)}
    leaves |= {f"gradient of {name}": leaf for name, leaf in module.named_parameters()}
    if not getattr(loss, "requires_grad", False):
        return {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return {name: torch.zeros_like(leaf) if got is None else got for (name, leaf), got in zip(leaves.items(), found)}


def _error(error: BaseException) -> dict:
    """The type, the words and the student's own line of an exception, each bounded."""
    line, text = 0, ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(("<ipython-input", "<cell", "Cell In")) or "ipykernel_" in frame.filename:
            line, text = frame.lineno or 0, frame.line or ""
    try:
        message = str(error)
    except Exception:
        message = ""
    return {"type": type(error).__name__[:60], "message": message[:200], "line": line, "code": text[:120]}
