"""The family of errors that a user can be told about.

Each carries what is wrong (``str(error)``), where (``where``) and how to mend it (``remedy``).
``api.problems`` turns them into problem+json, ``api.cli`` into an exit code; nowhere else are they translated.
"""

from __future__ import annotations


class LianpianError(Exception):
    """Base of every error that is meant for a user.

    Parameters
    ----------
    detail : str
        What is wrong, in Chinese.
    where : str
        The file, layer, field or parameter at fault.
    remedy : str
        What the user can do about it.
    """

    kind = "failure"
    status = 500
    exit_code = 1

    def __init__(self, detail: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.where = where
        self.remedy = remedy


class InvalidInput(LianpianError):
    """A file, layer or row set that cannot be taken as it is."""

    kind = "invalid-input"
    status = 422
    exit_code = 3


class InvalidParameter(LianpianError):
    """A request, flag or rule file that asks for something that does not exist or is out of range."""

    kind = "invalid-parameter"
    status = 400
    exit_code = 2


class NotFound(LianpianError):
    """A layer, feature, run or tile that is not there."""

    kind = "not-found"
    status = 404
    exit_code = 1


class Gone(NotFound):
    """Something that was there and is kept no longer."""

    kind = "gone"
    status = 410


class StoreUnreachable(LianpianError):
    """The store does not answer, or another process holds it for longer than the stated time."""

    kind = "store-unreachable"
    status = 503
    exit_code = 5


class Busy(LianpianError):
    """So many of these jobs run already that another has to wait; the caller may try again."""

    kind = "busy"
    status = 503
    exit_code = 1


class Forbidden(LianpianError):
    """Something that this service does not do for anybody who asks over the network."""

    kind = "forbidden"
    status = 403
    exit_code = 1
