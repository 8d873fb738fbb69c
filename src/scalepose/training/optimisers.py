"""What changes the weights: Adam, AdamW, or Muon beside AdamW. Rates and schedules are not its business."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from scalepose.training.parts import Optimiser


def make_optimisers(
    network: nn.Module, settings: Optimiser, lr: float, fused: bool = True
) -> list[torch.optim.Optimizer]:
    """One optimiser, or for kind muon two, that share all weights of `network`; norms and biases do not decay.

    fused: whether Adam's update is one kernel.
    """
    kernels = _inner_kernels(network) if settings.kind == "muon" else []
    apart = {id(kernel) for kernel in kernels}
    others = [p for p in network.parameters() if id(p) not in apart]
    matrices, vectors = [p for p in others if p.ndim > 1], [p for p in others if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    kind = torch.optim.Adam if settings.kind == "adam" else torch.optim.AdamW
    optimisers: list[torch.optim.Optimizer] = [kind(groups, lr=lr, betas=settings.betas, fused=fused or None)]
    if kernels:
        optimisers.append(KernelMuon(kernels, lr, settings.weight_decay))
    return optimisers


class KernelMuon(torch.optim.Muon):
    """Muon (Jordan et al. 2024), torch's, for kernels of convolutions (O, I, h, w): each is a matrix of O rows to it.

    The size of its steps is AdamW's (Liu et al. 2025), so that a learning rate found for AdamW serves.
    """

    def __init__(self, kernels: Iterable[nn.Parameter], lr: float, weight_decay: float):
        self._kernels = list(kernels)
        self._matrices = [nn.Parameter(_matrix(kernel.detach())) for kernel in self._kernels]
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            assert kernel.data_ptr() == matrix.data_ptr()  # a change of one changes the other
        super().__init__(self._matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update from the kernels' gradients."""
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else _matrix(kernel.grad)
        return super().step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the kernels' gradients."""
        for parameter in (*self._kernels, *self._matrices):
            parameter.grad = None


def _matrix(kernel: Tensor) -> Tensor:
    """(O, I, h, w) → (O, I·h·w) in the order of memory, which does not matter to Muon: a view where it can be."""
    if kernel.is_contiguous(memory_format=torch.channels_last):
        kernel = kernel.permute(0, 2, 3, 1)
    return kernel.flatten(1)


def _inner_kernels(network: nn.Module) -> list[nn.Parameter]:
    """Of convolutions between two layers: not of those that read the picture, nor of those that predict, which are the
    ones with a bias, as no norm follows them.
    """
    layers = (module for module in network.modules() if isinstance(module, nn.Conv2d))
    return [layer.weight for layer in layers if layer.bias is None and layer.in_channels > 3]  # type: ignore[misc]
