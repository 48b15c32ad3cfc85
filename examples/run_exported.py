"""Run a file of `zoopraxis export NAME net.onnx --to onnx` without zoopraxis.

python examples/run_exported.py net.onnx clip.mp4

The clip is the start of the video, squeezed to the network's size; `zoopraxis predict` takes the
centre, crops, and counts frames at the network's rate.
"""

import json
import sys

import cv2
import numpy as np
import onnxruntime

network = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
about = json.loads(network.get_modelmeta().custom_metadata_map["zoopraxis"])
sampling, look = about["clip"]["sampling"], about["clip"]["input"]
size, span = look["size"], sampling["num_frames"] * sampling["stride"]

capture, frames = cv2.VideoCapture(sys.argv[2]), []
while len(frames) < span and (read := capture.read())[0]:
    frames.append(cv2.cvtColor(cv2.resize(read[1], (size, size)), cv2.COLOR_BGR2RGB))
frames = (frames * span)[: span : sampling["stride"]]  # a short video loops

clip = np.stack(frames) / 255 * look["value_range"]  # (T, S, S, 3)
clip = ((clip - look["mean"]) / look["std"]).transpose(3, 0, 1, 2)[None]  # (1, 3, T, S, S)
(logits,) = network.run(None, {network.get_inputs()[0].name: clip.astype(np.float32)})
scores = np.exp(logits[0] - logits.max()) / np.exp(logits[0] - logits.max()).sum()
for k in scores.argsort()[::-1][:5]:
    print(f"{scores[k]:6.1%}  {about['labels'][k]}")
