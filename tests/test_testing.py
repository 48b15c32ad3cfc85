"""The inputs of references in our layout."""

import torch

from zoopraxis.testing import as_clip


def test_frames_of_references_become_clips():
    # value = 10 t + c of frame t and channel c
    folded = torch.tensor([[0.0, 1.0, 2.0, 10.0, 11.0, 12.0]])[..., None, None]  # (B, T * C, 1, 1)
    frames = folded.reshape(2, 3, 1, 1)  # (T, C, 1, 1)
    wanted = torch.tensor([[0.0, 10.0], [1.0, 11.0], [2.0, 12.0]])  # (C, T)

    for reference in (folded, frames, frames[None], as_clip(folded, 3)):
        assert torch.equal(as_clip(reference, 3)[0, :, :, 0, 0], wanted)
