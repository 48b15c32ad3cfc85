"""Files of skeletons as the tools and data sets write them."""

import json
import pickle

import numpy as np
import scipy.io

__all__ = ["write_ddnet", "write_msr", "write_ntu", "write_openpose", "write_pyskl", "write_utd"]


def write_ntu(file, frames):
    """NTU RGB+D: for each frame the joints (25, 3) of its bodies."""
    lines = [len(frames)]
    for bodies in frames:
        lines.append(len(bodies))
        for number, joints in enumerate(bodies):
            lines += [f"7205759403792{number:04d} 0 1 1 1 1 0 0.02 -0.3 2", len(joints)]
            lines += [
                " ".join(map(str, [*joint, 250.0, 180.0, 980.0, 500.0, 0.1, 0.2, 0.3, 0.4, 2]))
                for joint in joints.tolist()
            ]
    file.write_text("\r\n".join(map(str, lines)) + "\r\n")
    return file


def write_msr(file, joints):
    """MSR Action3D: joints (T, 20, 4) of x, y, depth and confidence."""
    rows = joints.reshape(-1, 4).tolist()
    file.write_text("".join("  ".join(f"{n:.7e}" for n in row) + "\n" for row in rows))
    return file


def write_utd(file, joints):
    """UTD-MHAD: joints (T, 20, 3)."""
    scipy.io.savemat(file, {"d_skel": joints.transpose(1, 2, 0)})
    return file


def write_openpose(folder, frames):
    """OpenPose: for each number of a frame the joints (J, 3) of its people."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, people in frames.items():
        content = {
            "version": 1.3,
            "people": [{"pose_keypoints_2d": joints.ravel().tolist()} for joints in people],
        }
        (folder / f"clip_{number:012d}_keypoints.json").write_text(json.dumps(content))
    return folder


def write_pyskl(file, annotations, split, *, protocol=4):
    """Annotations of pyskl, dicts, and the names in each part of its splits."""
    file.write_bytes(pickle.dumps({"split": split, "annotations": annotations}, protocol=protocol))
    return file


def write_ddnet(folder, parts):
    """DD-Net: for each (part, split) pairs of joints (T, 15, 2) and label."""
    folder.mkdir(parents=True, exist_ok=True)
    for (part, split), clips in parts.items():
        content = {"pose": [np.asarray(pose) for pose, _ in clips], "label": [c[1] for c in clips]}
        (folder / f"GT_{part}_{split}.pkl").write_bytes(pickle.dumps(content, protocol=3))
    return folder
