"""What a sequence parameter set of H.264 says (ITU-T H.264, 7.3.2.1.1)."""

__all__ = ["reference_frames"]

# Profiles whose parameter sets say how colours are sampled, and may have scaling lists.
HIGH = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244}


class _Bits:
    """Reads numbers bit by bit; IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def take(self, count: int) -> int:
        """Read an unsigned number of so many bits."""
        self._at += count
        if self._at > len(self._bits):
            raise IndexError("the parameter set is cut off")
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def unsigned(self) -> int:
        """Read an Exp-Golomb number: 1 is 0, 010 is 1, 011 is 2, 00100 is 3."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """Read a signed Exp-Golomb number: of 0, 1, 2, 3, 4, ... are made 0, 1, -1, 2, -2, ..."""
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def reference_frames(unit: bytes) -> int:
    """Most frames that a picture may be predicted from: ``max_num_ref_frames``.

    Parameters
    ----------
    unit : bytes
        The parameter set, a NAL unit of type 7.

    Raises
    ------
    IndexError
        It is cut off.
    """
    bits = _Bits(unit[1:].replace(b"\0\0\3", b"\0\0"))
    profile = bits.take(8)
    bits.take(16)  # constraints, level
    bits.unsigned()  # number of the set
    if profile in HIGH:
        chroma = bits.unsigned()
        bits.take(1 if chroma == 3 else 0)  # whether colour planes are separate
        bits.unsigned()  # bits of luma
        bits.unsigned()  # bits of chroma
        bits.take(1)  # lossless
        if bits.take(1):
            for size in (16,) * 6 + (64,) * (6 if chroma == 3 else 2):
                if bits.take(1):
                    _skip_scaling_list(bits, size)
    bits.unsigned()  # length of frame numbers
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.unsigned()):
            bits.signed()
    return bits.unsigned()


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
