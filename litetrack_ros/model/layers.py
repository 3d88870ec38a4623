"""The parts of an encoder layer; names and shapes are those of the authors' checkpoints."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from litetrack_ros.config import ModelConfig

NORM_EPS = 1e-6  # CAE's and MAE's, not PyTorch's 1e-5


class Attention(nn.Module):
    """Multi-head attention whose key bias is fixed at zero, as in CAE and BEiT.

    Parameter names and shapes are those of the authors' checkpoints.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.proj = nn.Linear(dim, dim)

    def init_as_similarity(self) -> None:
        """Start with queries and keys alike, so that tokens attend to what looks like them.

        A network without pretrained weights then compares the search region with the template from
        the first step on; from random queries and keys it first learns to do without the template.
        """
        rotation = nn.init.orthogonal_(torch.empty_like(self.proj.weight))
        with torch.no_grad():
            self.qkv.weight[: 2 * len(rotation)] = torch.cat([rotation, rotation])

    def queries(self, x: Tensor) -> Tensor:
        """Tokens ``(B, N, C)`` to queries ``(B, heads, N, C / heads)``, not yet scaled."""
        return self._split(F.linear(x, self.qkv.weight[: x.shape[-1]], self.q_bias))

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens ``(B, N, C)`` to keys and values, ``(B, heads, N, C / heads)`` each."""
        bias = torch.cat([torch.zeros_like(self.v_bias), self.v_bias])
        keys, values = F.linear(x, self.qkv.weight[x.shape[-1] :], bias).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Let tokens attend to themselves and, in front of them, to context tokens.

        Args:
            x: the querying tokens, ``(B, N, C)``.
            context: further tokens that give keys and values only, ``(B, M, C)`` (Eq. 3).

        Returns:
            ``(B, N, C)``.
        """
        source = x if context is None else torch.cat([context, x], dim=1)
        keys, values = self.keys_values(source)
        mixed = attend(self.queries(x), keys, values, self.scale)
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def attend(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """Scaled dot-product attention, ``(B, heads, N, D)`` each."""
    training = torch.is_grad_enabled() and queries.dtype == torch.bfloat16
    if training and queries.device.type == "cpu":
        # PyTorch's fused kernel has a slow backward pass for this case: a training step of the nano
        # model takes 20 % longer with it. Autocast is off because it would widen the softmax, whose
        # sums are float32 either way.
        with torch.autocast("cpu", enabled=False):
            return (queries * scale @ keys.transpose(-2, -1)).softmax(dim=-1) @ values
    return F.scaled_dot_product_attention(queries, keys, values, scale=scale)


class Mlp(nn.Module):
    """Two linear layers with erf GELU between them."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., inputs)`` to ``(..., outputs)``."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class DropPath(nn.Module):
    """Drops a residual branch per sample while training (stochastic depth)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """``(B, ...)``, the kept samples scaled up so that the mean stays."""
        if self.rate == 0.0 or not self.training:
            return x
        keep = 1.0 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask / keep


class Block(nn.Module):
    """A pre-norm transformer layer with learned residual scales (layer scale)."""

    def __init__(self, config: ModelConfig, drop_path_rate: float) -> None:
        super().__init__()
        dim = config.embed_dim
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = Attention(dim, config.num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, int(dim * config.mlp_ratio), dim)
        self.gamma_1 = nn.Parameter(torch.full((dim,), config.layer_scale_init))
        self.gamma_2 = nn.Parameter(torch.full((dim,), config.layer_scale_init))
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Update the tokens ``(B, N, C)``; context tokens ``(B, M, C)`` are read, never changed."""
        normed_context = None if context is None else self.norm1(context)
        x = x + self.drop_path(self.gamma_1 * self.attn(self.norm1(x), normed_context))
        return x + self.drop_path(self.gamma_2 * self.mlp(self.norm2(x)))
