"""FFmpeg commands that messages recommend, as the tests run them."""

__all__ = ["KEEP_INTACT", "ONE_REFERENCE", "REENCODE", "UPRIGHT", "arguments", "command"]

# The order matters: an option applies to the file named next. Before -i it concerns reading,
# after it writing, where FFmpeg accepts +discardcorrupt silently and discards nothing.

# Copy packets that are whole, without decoding them. The container stays the same, because
# another may need timestamps that this one does not store.
KEEP_INTACT = "-fflags +discardcorrupt+genpts -i FILE -map 0:V:0 -c copy OUT"
# Decode, concealing what is damaged, and encode again.
REENCODE = "-i FILE -map 0:V:0 -c:v libx264 OUT"
# Encode such that every frame is predicted from the one before, with an I-frame in every 12, as
# CoViAR does; at nearly the best quality.
ONE_REFERENCE = "-i FILE -map 0:V:0 -c:v mpeg4 -bf 0 -g 12 -q:v 2 OUT"
# Copy the packets, and replace the display matrix by none.
UPRIGHT = "-display_rotation 0 -i FILE -map 0:V:0 -c copy OUT"


def arguments(remedy: str, *, file: str, out: str) -> list[str]:
    """Arguments of a remedy for two files."""
    names = {"FILE": file, "OUT": out}
    return [names.get(argument, argument) for argument in remedy.split()]


def command(remedy: str, *, out: str = "REPAIRED.mp4") -> str:
    """Line for a shell, in which FILE stands for the file that the message names."""
    return " ".join(["ffmpeg", *arguments(remedy, file="FILE", out=out)])
