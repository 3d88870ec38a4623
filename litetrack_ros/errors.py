"""The exceptions this package raises on purpose.

Every message is one sentence that names the thing at fault and the way out. Commands print it and
exit with status 2; library users catch :class:`LiteTrackError` or one of its subclasses.
"""


def shown(text: str, most: int = 64) -> str:
    """Text of others as it may stand in a message: on one line, in printable characters, bounded.

    Args:
        text: from a file or the network.
        most: characters to show; what is left out is counted.
    """
    printable = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most]
    )
    return printable if len(text) <= most else f"{printable}... ({len(text)} characters)"


class LiteTrackError(Exception):
    """Base of every documented error of this package.

    Examples:
        >>> import litetrack_ros as lt
        >>> try:
        ...     lt.open_backend(lt.ModelChoice("no_such_model"))
        ... except lt.LiteTrackError as error:
        ...     print(error)  # doctest: +ELLIPSIS
        there is no model file 'no_such_model', and no shipped model of that name; shipped are: ...
    """


class BoxError(LiteTrackError, ValueError):
    """A box or a point that cannot start a track: not finite, empty, or outside the image."""


class ImageError(LiteTrackError, ValueError):
    """An array that is not an image this package understands."""


class ConfigError(LiteTrackError, ValueError):
    """A configuration file or value that is unknown, misspelt or out of range."""


class WeightsError(LiteTrackError, ValueError):
    """A weights file that is damaged, foreign, or made for another model."""


class TrainingError(LiteTrackError, RuntimeError):
    """A training that cannot go on: its loss is not finite."""


class DamagedFileError(WeightsError):
    """A model's file whose bytes are not those its manifest was written for."""


class BackendError(LiteTrackError, RuntimeError):
    """An inference backend or device that is unknown, missing or not usable."""


class DeviceFaultError(BackendError):
    """A GPU that has failed, or whose memory is full, while a model ran on it."""


class MediaError(LiteTrackError, OSError):
    """A video, image folder, camera or output file that cannot be read or written."""


class BagError(LiteTrackError, OSError):
    """A bag that cannot be read or written, or that lacks what was asked of it."""


class ReplayError(LiteTrackError, RuntimeError):
    """A replay that could not be carried through: the node did not start, died or fell silent."""


class PageError(LiteTrackError, RuntimeError):
    """The operator's page cannot be served: its port is taken, or a certificate is no good."""


class DatasetError(LiteTrackError, ValueError):
    """A data set folder that is incomplete or not laid out as published."""


class MissingDependencyError(LiteTrackError, ImportError):
    """An optional package that the requested feature needs is not installed."""
