"""What examinations of videos and of lists report."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One kind of trouble, the videos or classes that have it, and what to do.

    Parameters
    ----------
    status : {"fail", "warn"}
        Whether it spoils the training or the test, or is to be looked at.
    title : str
        What they have in common: "have the same content".
    where : tuple of str
        A line for each video, pair of videos or class; empty where all is well.
    advice : str
        What to do.
    videos : tuple of tuple of str
        Paths of the videos of each line; empty where lines are not about videos that can be read.
    """

    status: Literal["fail", "warn"]
    title: str
    where: tuple[str, ...]
    advice: str
    videos: tuple[tuple[str, ...], ...] = ()
