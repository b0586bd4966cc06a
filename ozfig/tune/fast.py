"""The parts of a model that cost more than they have to, replaced while it trains.

- LoRA's layers: PEFT casts activations to float32 for the adapter's small products; here the adapter is cast
  to the base's type once a call, and the sum is taken inside the product (`addmm`).
- RMS norms: the chain of element-wise steps becomes one function with its gradient written out.
- The last layer's feed-forward part: nothing reads its output where no loss follows, so it is taken elsewhere only.

Each gives the numbers of what it replaces up to rounding; what is not known to do so stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from torch import nn


class _LoraProduct(torch.autograd.Function):
    """x W^T + bias + scale * (x A^T) B^T over x of shape (tokens, in), for frozen W."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, a: Any, b: Any, scale: float) -> torch.Tensor:
        a_cast, b_cast = a.to(x.dtype), b.to(x.dtype)
        inner = x @ a_cast.t()
        out = nn.functional.linear(x, weight, bias).addmm_(inner, b_cast.t(), alpha=scale)
        ctx.save_for_backward(x, weight, a_cast, b_cast, inner)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        x, weight, a, b, inner = ctx.saved_tensors
        upper = (gradient @ b).mul_(ctx.scale)
        for_x = (gradient @ weight).addmm_(upper, a) if ctx.needs_input_grad[0] else None
        for_a = (upper.t() @ x).float()
        for_b = (gradient.t() @ inner).float().mul_(ctx.scale)
        return for_x, None, None, for_a, for_b, None


def _lora_forward(layer: Any, name: str, x: torch.Tensor) -> torch.Tensor:
    """What PEFT's layer gives for adapter `name`."""
    base = layer.base_layer
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    flat = x.reshape(-1, x.shape[-1])
    out = _LoraProduct.apply(flat, base.weight, base.bias, a, b, layer.scaling[name])
    return out.view(*x.shape[:-1], out.shape[-1])  # type: ignore[no-untyped-call, no-any-return]


def _plain_lora(layer: Any) -> str:
    """The name of the one adapter of a layer that is LoRA and no more than that; empty for any other layer."""
    if not isinstance(layer, Linear) or type(layer.base_layer) is not nn.Linear or layer.lora_variant:
        return ""
    (name,) = layer.active_adapters if len(layer.active_adapters) == 1 else ("",)
    frozen = not any(p.requires_grad for p in layer.base_layer.parameters())
    simple = frozen and name in layer.lora_A and not layer.lora_bias[name] and not layer.merged
    return str(name) if simple and isinstance(layer.lora_dropout[name], nn.Identity) else ""


class _RmsNorm(torch.autograd.Function):
    """weight * x / sqrt(mean(x^2) + eps), the mean and the quotient in float32 (Zhang and Sennrich 2019)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
        full = x.float()
        norm = torch.linalg.vector_norm(full, dim=-1, keepdim=True)
        scale = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        # x.float() is x itself where x is float32 already
        return torch.mul(full, scale).to(x.dtype).mul_(weight)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        x, weight, scale = ctx.saved_tensors
        for_weight = None
        if ctx.needs_input_grad[1]:
            for_weight = (gradient * (x * scale)).flatten(0, -2).sum(0).to(weight.dtype)
        inner = gradient * weight
        along = torch.linalg.vecdot(inner, x)[..., None].float()
        along = (along * scale.pow(3) / -x.shape[-1]).to(x.dtype)
        return inner.mul_(scale.to(x.dtype)).addcmul_(x, along), for_weight, None


def _rms_norm(layer: Any) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The quick form of a norm that behaves as the function above on a trial; None for any other module."""
    eps = getattr(layer, "variance_epsilon", getattr(layer, "eps", None))
    weight = getattr(layer, "weight", None)
    if not type(layer).__name__.endswith("RMSNorm") or not isinstance(eps, float) or weight is None:
        return None

    def forward(x: torch.Tensor) -> torch.Tensor:
        return _RmsNorm.apply(x, layer.weight, eps)  # type: ignore[no-any-return, no-untyped-call]

    with torch.no_grad():
        trial = torch.linspace(-3, 5, 4 * len(weight)).view(1, 4, -1).to(weight)
        own, quick = layer(trial), forward(trial)
    same = own.dtype == quick.dtype and torch.allclose(own.float(), quick.float(), rtol=0.02, atol=1e-6)
    return forward if same else None


def quick_forward(module: nn.Module) -> Callable[..., torch.Tensor] | None:
    """What takes the place of a module's `forward`, if anything does."""
    name = _plain_lora(module)
    return partial(_lora_forward, module, name) if name else _rms_norm(module)


class _Kept:
    """Applies a feed-forward part at the positions of `logits_to_keep` alone; elsewhere it gives zeros."""

    def __init__(self, part: nn.Module) -> None:
        self.whole, self.positions = part.forward, None

    def note(self, model: nn.Module, given: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Before each pass: where a loss follows."""
        found = options.get("logits_to_keep")
        self.positions = found if torch.is_tensor(found) else None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """What takes the place of `forward`, over x of shape (1, tokens, size)."""
        if self.positions is None:
            return self.whole(x)  # type: ignore[no-any-return]
        chosen = self.whole(x.index_select(1, self.positions))
        return torch.zeros_like(x, dtype=chosen.dtype).index_copy(1, self.positions, chosen)


def _last_part(model: Any) -> nn.Module | None:
    """The last layer's feed-forward part, if it treats each position by itself, as a trial shows."""
    layers = getattr(model.get_decoder(), "layers", None)
    part = getattr(layers[-1], "mlp", None) if layers else None
    if part is None:
        return None
    like = next(part.parameters())
    trial = torch.linspace(-1, 1, 8 * model.config.get_text_config().hidden_size, device=like.device)
    trial, chosen = trial.view(1, 8, -1).to(model.dtype), torch.tensor([1, 6], device=like.device)
    with torch.no_grad():
        whole, some = part(trial), part(trial.index_select(1, chosen))
    same = torch.is_tensor(whole) and torch.allclose(whole[:, chosen].float(), some.float(), rtol=0.02, atol=1e-3)
    return part if same else None


@contextmanager
def quick_parts(model: Any) -> Iterator[int]:
    """Within the block the model computes with the parts of this module; gives how many were replaced."""
    found = {module: forward for module in model.modules() if (forward := quick_forward(module))}
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    part, hooks = _last_part(base), []
    if part is not None:
        found[part] = kept = _Kept(part)
        hooks.append(base.register_forward_pre_hook(kept.note, with_kwargs=True))
    for module, forward in found.items():
        module.forward = forward
    try:
        yield len(found)
    finally:
        for hook in hooks:
            hook.remove()
        for module in found:
            del module.forward
