"""What pairs hold: shares and sizes of synthetic ones, and how others are drawn from video."""

from dataclasses import dataclass, field
from typing import Annotated

from litetrack_ros.errors import ConfigError
from litetrack_ros.pairs.degradation import DarkRecipe, LookRecipe
from litetrack_ros.pairs.poses import BoxRecipe, PoseRecipe
from litetrack_ros.pairs.recent import RecentRecipe
from litetrack_ros.pairs.sprites import SpriteRecipe
from litetrack_ros.settings import (
    CountSpan,
    LimitedNumbers,
    Limits,
    PositiveSpan,
    Share,
    Span,
    Spread,
)

_SHARES_ERROR = 1e-6  # of their sum


@dataclass(frozen=True)
class ObjectRecipe(LimitedNumbers):
    """How an object is drawn into a frame.

    Attributes:
        soft_share, feather_px: share with a soft edge; its width, frame pixels.
        motion_share, motion_px: share with a motion blur of its own; its least length ...
        motion_reach: ... and how much longer it may be, in the object's sizes.
        tint: spread of the log of each channel's gain, over the strength of its change of light.
    """

    soft_share: Share = 0.7
    feather_px: Span = (0.3, 0.9)
    motion_share: Share = 0.12
    motion_px: Spread = 2.0
    motion_reach: Spread = 0.15
    tint: Spread = 0.3


@dataclass(frozen=True)
class DistractorRecipe(LimitedNumbers):
    """Other objects in a search region.

    Attributes:
        count: how many are tried, both included, where there are several.
        single: share of the other search regions that have one.
        twins: share of distractors that resemble the target, where they may.
        turned: share of the others that lie at any angle.
        size, size_limits: spread of the log of their size over the target's, and its range.
        tones: strength of the light's change.
        hidden_part: of the target that they may cover together.
    """

    count: CountSpan = (2, 4)
    single: Share = 0.1
    twins: Share = 0.45
    turned: Share = 0.3
    size: Spread = 0.3
    size_limits: Span = (-0.8, 0.6)
    tones: Spread = 0.12
    hidden_part: Share = 0.35


@dataclass(frozen=True)
class OccluderRecipe(LimitedNumbers):
    """An object over the target.

    Attributes:
        turned: share that lies at any angle.
        distance: of its middle from the target's, in half the target's sides.
        size: over the target's.
        covers: least part of the target that it covers, and the most that it and the distractors
            above cover together.
    """

    turned: Share = 0.5
    distance: Span = (0.5, 1.1)
    size: PositiveSpan = (0.35, 0.9)
    covers: Span = (0.08, 0.5)


@dataclass(frozen=True)
class SizeRecipe(LimitedNumbers):
    """How large targets are.

    Attributes:
        first_px: root of the area in the first frame, evenly spread over the logarithm.
        later, later_limit: spread of the log of the later size over the first, and the most of it.
    """

    first_px: PositiveSpan = (16.0, 90.0)
    later: Spread = 0.3
    later_limit: Spread = 0.8


@dataclass(frozen=True)
class NaturalRecipe(LimitedNumbers):
    """Pairs whose target is a region of a photo.

    Attributes:
        whole_objects: share of targets that are a photo's object, where masks are there.
        margin_share, margin: share of frames with a mirrored border; over the photo's short side.
        largest_zoom: frame pixels a photo pixel.
        size: of another target, over the photo's short side.
        aspect, aspect_limit: spread of the log of its aspect ratio, and the most of it.
        largest_side: over the photo's.
        contrast: grey levels of deviation; of five regions the first with as much is taken.
        ellipse_powers: shapes of its outline; 2 is an ellipse, more are nearer to a box.
        first_camera: how much the first camera turns, stretches and tilts, over the later one.
        angle, stretch, tilt: spreads of the later camera's: radians, log, divisor at the border.
        bend_share, bend, bend_rad: share of later photos that are bent; spread of the amplitude
            over the size; largest wave and phase.
        distractors: share of search regions with several, over that of pasted pairs.
    """

    whole_objects: Share = 0.2
    margin_share: Share = 0.75
    margin: Span = (0.2, 1.0)
    largest_zoom: Spread = 1.5
    size: PositiveSpan = (0.1, 0.33)
    aspect: Spread = 0.4
    aspect_limit: Spread = 1.0
    largest_side: Share = 0.9
    contrast: Spread = 35.0
    ellipse_powers: Annotated[tuple[float, ...], Limits(1e-6)] = (2.0, 4.0)
    first_camera: Spread = 0.3
    angle: Spread = 0.12
    stretch: Spread = 0.06
    tilt: Spread = 0.08
    bend_share: Share = 0.4
    bend: Spread = 0.012
    bend_rad: Spread = 6.0
    distractors: Share = 0.7


@dataclass(frozen=True)
class FilmedRecipe(LimitedNumbers):
    """Pairs from two frames of a clip.

    Attributes:
        scale: at which the clip is shown, evenly spread over the logarithm.
        mirrored: share of pairs that are mirrored.
        distractors: share of search regions with several, over that of pasted pairs.
    """

    scale: PositiveSpan = (0.35, 1.0)
    mirrored: Share = 0.5
    distractors: Share = 0.6


@dataclass(frozen=True)
class PastedRecipe(LimitedNumbers):
    """Pairs of an object pasted on a photo.

    Attributes:
        clip_objects, clip_cutouts: share of targets that are lifted from a clip; of those, share
            without their surroundings.
        photo_objects: share of targets that are a photo's object with its surroundings.
        turned: share of targets that lie at any angle.
        toned, tones: share of targets in another light than the photo's; strength of the change.
        later_toned, later_tones: the same of the others in their later frame alone.
        twins: share of search regions in which distractors may resemble the target.
        absent_count: distractors where the target is absent and none was drawn, both included.
        frame, frame_aspect: root of a frame's area in target sizes; log of its aspect ratio.
        place: farthest of the target from the frame's middle, over the frame's sides.
        view, view_scale: short sides of the photo behind a search region; least photo pixels a
            frame pixel.
        view_place: part of the photo's sides, around its middle, that is looked at.
        view_angle: spread of the photo's angle, radians.
        camera_shift, camera_zoom, camera_angle: spreads of the later camera's: search regions,
            log, radians.
        template_share, template_count: share of templates with other objects; how many, both
            included.
        template_later: share of those whose objects are the search region's.
    """

    clip_objects: Share = 0.15
    clip_cutouts: Share = 0.5
    photo_objects: Share = 0.2
    turned: Share = 0.25
    toned: Share = 0.5
    tones: Spread = 0.2
    later_toned: Share = 0.5
    later_tones: Spread = 0.1
    twins: Share = 0.6
    absent_count: CountSpan = (0, 2)
    frame: PositiveSpan = (7.0, 50.0)
    frame_aspect: Span = (-0.3, 0.6)
    place: Spread = 0.55
    view: PositiveSpan = (0.4, 1.2)
    view_scale: Annotated[float, Limits(1e-6)] = 0.6
    view_place: Share = 0.6
    view_angle: Spread = 0.06
    camera_shift: Spread = 0.2
    camera_zoom: Spread = 0.12
    camera_angle: Spread = 0.08
    template_share: Share = 0.3
    template_count: CountSpan = (1, 2)
    template_later: Share = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clip_objects + self.photo_objects > 1.0:
            raise ConfigError(
                "the shares clip_objects and photo_objects must not exceed 1 together"
            )


@dataclass(frozen=True)
class RealRecipe(LimitedNumbers):
    """Pairs from real video with boxes and from photos whose objects are outlined (``sources``).

    Attributes:
        max_gap: frames between the two of a video, at most; either may come first.
        scale, least_side_px: at which video is shown, evenly spread over the logarithm; root of a
            target's area that is not made smaller, and of the smallest object of a photo.
        mirrored: share of pairs that are mirrored.
        absent: share of pairs without the target in the search region.
        gone: of those from video that leaves its target for a while, share that show such a frame.
        beside, beside_inside: of the others, share whose region lies beside the target, in the
            same frame; least part of it that shows the frame. The rest show another video's target.
        same_photo: of those from photos, share whose region shows another object of the class in
            the same photo, where there is one; the rest show one of another photo.
        look_alikes, look_alike_count: share of photos' search regions with objects of the target's
            class pasted around it; how many, both included.
        largest_part: of its photo; a larger object is pasted on another photo.
        camera: how much a photo's camera moves, over ``natural_pair``'s.
        look: what a camera does to both pictures.
        dark: one of them in little light.
    """

    max_gap: Annotated[int, Limits(1)] = 24
    scale: PositiveSpan = (0.3, 1.0)
    least_side_px: Spread = 8.0
    mirrored: Share = 0.5
    absent: Share = 0.2
    gone: Share = 0.5
    beside: Share = 0.6
    beside_inside: Share = 0.5
    same_photo: Share = 0.5
    look_alikes: Share = 0.4
    look_alike_count: CountSpan = (1, 2)
    largest_part: Share = 0.12
    camera: Spread = 1.5
    look: LookRecipe = field(default_factory=LookRecipe)
    dark: DarkRecipe = field(default_factory=DarkRecipe)


@dataclass(frozen=True)
class PairRecipe(LimitedNumbers):
    """What synthetic pairs hold: shares in [0, 1], and how each part is drawn.

    Attributes:
        natural: pairs whose target is a region of a photo; nothing marks it but the template.
        filmed: pairs from two frames of a clip. The rest are objects pasted on photos.
        absent: pairs without the target in the search region.
        distractors: search regions with two to four other objects.
        occluders: search regions with an object over the target.
        new_scene: pasted pairs whose template comes from another photo.
        sizes, pose, boxes: of targets.
        sprite, object: what objects look like and how they are drawn.
        distractor, occluder: the objects around the target.
        look: what a camera does to all of it.
        natural_pair, filmed_pair, pasted_pair: what is drawn for one kind of pairs alone.
        real_pair: pairs that are not synthetic.
        recent: the second template of models that have two.
    """

    natural: Share = 0.3
    filmed: Share = 0.1
    absent: Share = 0.15
    distractors: Share = 0.55
    occluders: Share = 0.2
    new_scene: Share = 0.2
    sizes: SizeRecipe = field(default_factory=SizeRecipe)
    pose: PoseRecipe = field(default_factory=PoseRecipe)
    boxes: BoxRecipe = field(default_factory=BoxRecipe)
    sprite: SpriteRecipe = field(default_factory=SpriteRecipe)
    object: ObjectRecipe = field(default_factory=ObjectRecipe)
    distractor: DistractorRecipe = field(default_factory=DistractorRecipe)
    occluder: OccluderRecipe = field(default_factory=OccluderRecipe)
    look: LookRecipe = field(default_factory=LookRecipe)
    natural_pair: NaturalRecipe = field(default_factory=NaturalRecipe)
    filmed_pair: FilmedRecipe = field(default_factory=FilmedRecipe)
    pasted_pair: PastedRecipe = field(default_factory=PastedRecipe)
    real_pair: RealRecipe = field(default_factory=RealRecipe)
    recent: RecentRecipe = field(default_factory=RecentRecipe)

    def __post_init__(self) -> None:
        super().__post_init__()
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


@dataclass(frozen=True)
class SourceShares(LimitedNumbers):
    """What pairs are made of, as shares that add up to 1; ``--data`` names the folders of all.

    Attributes:
        synthetic: pairs composed from photos, cut-outs and clips with masks.
        clips: pairs of two frames of real video: of folders with ``groundtruth.txt``.
        photos: pairs of outlined objects of photos: of folders in COCO's format.
        held_out: clips for validation, by the first words of their names, parted by blanks.
    """

    synthetic: Share = 1.0
    clips: Share = 0.0
    photos: Share = 0.0
    held_out: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        total = self.synthetic + self.clips + self.photos
        if abs(total - 1.0) > _SHARES_ERROR:
            raise ConfigError(f"the shares of sources add up to {total:g}, but must add up to 1")
        if self.clips and not self.held_out.split():
            raise ConfigError("held_out is empty, but must name the clips to validate on")


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
