"""What pairs hold: shares and sizes of synthetic ones, and how others are drawn from video."""

from dataclasses import dataclass

from litetrack_ros.errors import ConfigError


@dataclass(frozen=True)
class PairRecipe:
    """Shares in [0, 1] of what synthetic pairs hold.

    Attributes:
        natural: pairs whose target is a region of a photo; nothing marks it but the template.
        filmed: pairs from two frames of a clip. The rest are objects pasted on photos.
        absent: pairs without the target in the search region.
        distractors: search regions with two to four other objects.
        occluders: search regions with an object over the target.
        new_scene: pasted pairs whose template comes from another photo.
    """

    natural: float = 0.3
    filmed: float = 0.1
    absent: float = 0.15
    distractors: float = 0.55
    occluders: float = 0.2
    new_scene: float = 0.2

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"{key} is {value!r}, but must be from 0 to 1")
        if self.natural + self.filmed > 1.0:
            raise ConfigError("the shares of natural and filmed pairs must not exceed 1 together")


@dataclass(frozen=True)
class PairSampling:
    """How pairs are drawn; the defaults are those of the released configurations.

    Attributes:
        train, validation: names of data sets, parted by blanks; ``name:2`` is drawn from twice as
            often.
        max_gap: frames between template and search region, below this.
        template_center_jitter, search_center_jitter: the crop's centre is moved by up to half of
            this many target sizes along each axis.
        template_scale_jitter, search_scale_jitter: standard deviation of the logarithm of the
            crop's width and height over the target's.
        grey: share of pairs without colour, both crops alike.
        flip: share of pairs mirrored, both crops alike.
        brightness: each crop is made brighter or darker by up to this part.
        reduced_decode: decode JPEGs at half, a quarter or an eighth of their size where the crop
            is shrunk at least as much anyway.
    """

    train: str = "lasot_train got10k_vottrain coco2017_train trackingnet"
    validation: str = "got10k_votval"
    max_gap: int = 200
    template_center_jitter: float = 0.0
    template_scale_jitter: float = 0.0
    search_center_jitter: float = 3.0
    search_scale_jitter: float = 0.25
    grey: float = 0.05
    flip: float = 0.5
    brightness: float = 0.2
    reduced_decode: bool = True

    def __post_init__(self) -> None:
        if self.max_gap < 2:
            raise ConfigError(f"max_gap is {self.max_gap}, but must be at least 2")
        for key in ("grey", "flip"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"{key} is {getattr(self, key)}, but must be from 0 to 1")
        shared_sets(self.train), shared_sets(self.validation)


def shared_sets(text: str) -> dict[str, float]:
    """Names and shares of a list such as ``lasot got10k_vottrain:2``.

    Raises:
        ConfigError: empty, or a share that is not a positive number.
    """
    shares = {}
    for word in text.split():
        name, _, share = word.partition(":")
        try:
            shares[name] = float(share or 1)
        except ValueError:
            shares[name] = 0.0
        if not shares[name] > 0:
            raise ConfigError(f"'{word}': the share of a data set must be a positive number")
    if not shares:
        raise ConfigError("the list of data sets is empty: name at least one")
    return shares
