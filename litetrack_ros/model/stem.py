"""From pixels to tokens: the 16x16 patch embedding, and EfficientNet-Lite0 up to stride 16.

A stem takes normalised RGB ``(B, 3, S, S)`` and returns tokens ``(B, (S / 16)**2, C)`` in row-major
order. Its ``pixel_mean`` and ``pixel_std`` (RGB, of values in 0 to 255) say what normalised means.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from litetrack_ros.config import ModelConfig

IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
# What the pretrained EfficientNet-Lite0 was trained with: it names 83 % of 334 ImageNet photos
# right in this scaling, 73 % in the one above.
LITE_MEAN = (127.0, 127.0, 127.0)
LITE_STD = (128.0, 128.0, 128.0)


class PatchEmbed(nn.Module):
    """Non-overlapping 16x16 patches, each projected to one token (paper Sec. III-B)."""

    pixel_mean: ClassVar[tuple[float, float, float]] = IMAGENET_MEAN
    pixel_std: ClassVar[tuple[float, float, float]] = IMAGENET_STD

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, embed_dim, kernel_size=16, stride=16)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` to ``(B, N, C)``."""
        tokens: Tensor = self.proj(images).flatten(2).transpose(1, 2)
        return tokens


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's 'SAME': the odd pixel goes right and below."""

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C, H, W)`` with H and W multiples of the stride."""
        total = self.kernel_size[0] - self.stride[0]
        before, after = total // 2, total - total // 2
        if (
            before != after
        ):  # only where the stride is 2: the convolution's own padding is symmetric
            input = F.pad(input, (before, after, before, after))
            before = 0
        return F.conv2d(input, self.weight, self.bias, self.stride, before, 1, self.groups)


class MobileBlock(nn.Module):
    """EfficientNet-Lite's inverted bottleneck: expand, depthwise, project; no squeeze-excite."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = conv_bn(inputs, hidden, 1) if expansion > 1 else nn.Identity()
        self.depthwise = conv_bn(hidden, hidden, kernel, stride, groups=hidden)
        self.project = conv_bn(hidden, outputs, 1, activation=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


def conv_bn(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    activation: bool = True,
) -> nn.Sequential:
    """Convolution, batch norm (TensorFlow's epsilon) and, if asked, ReLU6."""
    layers: list[nn.Module] = [
        SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
    ]
    return nn.Sequential(*layers, nn.ReLU6()) if activation else nn.Sequential(*layers)


class EfficientNetLite0Stem(nn.Module):
    """The first eleven blocks of EfficientNet-Lite0 and a 1x1 projection to the encoder's width.

    The features are the outputs of blocks 7 and 10, both at stride 16, concatenated (192 channels).
    """

    pixel_mean: ClassVar[tuple[float, float, float]] = LITE_MEAN
    pixel_std: ClassVar[tuple[float, float, float]] = LITE_STD
    FEATURE_CHANNELS: ClassVar[int] = 192
    # (kernel, stride, expansion, output channels, repeats), Tan & Le's EfficientNet-Lite0
    STAGES: ClassVar[tuple[tuple[int, int, int, int, int], ...]] = (
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 2),
        (5, 2, 6, 40, 2),
        (3, 2, 6, 80, 3),
        (5, 1, 6, 112, 3),
    )
    TAPS: ClassVar[tuple[int, int]] = (7, 10)

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.first = conv_bn(3, 32, 3, stride=2)
        blocks: list[MobileBlock] = []
        channels = 32
        for kernel, stride, expansion, outputs, repeats in self.STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(MobileBlock(channels, outputs, kernel, step, expansion))
                channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.proj = nn.Conv2d(self.FEATURE_CHANNELS, embed_dim, kernel_size=1)

    def features(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` to ``(B, 192, S / 16, S / 16)``."""
        x = self.first(images)
        taps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.TAPS:
                taps.append(x)
        return torch.cat(taps, dim=1)

    def project(self, features: Tensor) -> Tensor:
        """``(B, 192, G, G)`` to tokens ``(B, G * G, C)``."""
        tokens: Tensor = self.proj(features).flatten(2).transpose(1, 2)
        return tokens

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` to ``(B, N, C)``."""
        return self.project(self.features(images))


def build_stem(config: ModelConfig) -> PatchEmbed | EfficientNetLite0Stem:
    """The stem a configuration names."""
    if config.stem == "efficientnet_lite0":
        return EfficientNetLite0Stem(config.embed_dim)
    return PatchEmbed(config.embed_dim)
