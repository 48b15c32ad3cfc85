"""Networks of ptlflow: names, errors, and what they are given."""

import json
import sys

import numpy as np
import pytest
import torch

from zoopraxis.errors import ZoopraxisError
from zoopraxis.flow import PTLFlow, flow_method
from zoopraxis.flow.extract import extract_flow
from zoopraxis.flow.learned import run


def test_names():
    assert flow_method("ptlflow:raft") == PTLFlow(network="raft", checkpoint="things")
    assert flow_method("ptlflow:raft:a/b:c.ckpt").checkpoint == "a/b:c.ckpt"
    assert flow_method("warped:ptlflow:raft").method == flow_method("ptlflow:raft")
    for name in ("ptlflow", "ptlflow:", "warped", "warped:", "warped:none"):
        with pytest.raises(ZoopraxisError, match="unknown method of optical flow"):
            flow_method(name)


def test_the_key_of_a_file_is_its_content(tmp_path):
    file = tmp_path / "a.ckpt"
    method = PTLFlow(network="raft", checkpoint=str(file))
    keys = set()
    for content in (b"1", b"2"):
        file.write_bytes(content)
        keys.add(method.key)
    assert len(keys) == 2
    assert json.loads(flow_method("ptlflow:raft").key)["checkpoint"] == "things"


@pytest.mark.parametrize("name", ["ptlflow:raft", "warped:ptlflow:raft"])
def test_a_missing_extra_is_named_once_and_before_any_video(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ptlflow", None)
    with pytest.raises(ZoopraxisError, match="needs ptlflow, which is not installed") as caught:
        extract_flow(["missing.mp4"], [tmp_path / "a"], method=flow_method(name))
    assert "zoopraxis[ptlflow]" in caught.value.hint
    assert "opencv-contrib-python-headless" in caught.value.hint


class Convention(torch.nn.Module):
    """Says as flow what it was given: the blue of the first frame, the red of the second."""

    def forward(self, inputs):
        images = inputs["images"]
        assert images.shape[:3] == (1, 2, 3)
        assert images.dtype == torch.float32
        return {"flows": torch.stack([images[:, 0, 0], images[:, 1, 2]], dim=1)[:, None]}


def test_frames_are_given_in_the_convention_of_ptlflow():
    first, second = np.random.default_rng(0).integers(0, 256, (2, 17, 33, 3), dtype=np.uint8)

    flow = run(Convention(), first, second)

    assert flow.shape == (2, 17, 33)
    np.testing.assert_allclose(flow[0], first[..., 2] / 255, rtol=1e-6)
    np.testing.assert_allclose(flow[1], second[..., 0] / 255, rtol=1e-6)


def test_a_size_that_a_network_cannot_process_is_named():
    class Pools(torch.nn.Module):
        def forward(self, inputs):
            return {"flows": torch.nn.functional.max_pool2d(inputs["images"][0], 64)}

    frame = np.zeros((17, 33, 3), np.uint8)
    with pytest.raises(ZoopraxisError, match="frames of 33x17"):
        run(Pools(), frame, frame)
