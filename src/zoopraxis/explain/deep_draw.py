"""DeepDraw: pictures and clips that a network gives a class, drawn by gradient ascent.

Simonyan, Vedaldi and Zisserman, arXiv:1312.6034, section 2: climb the logit of a class, with L2
decay. Yosinski, Clune, Nguyen, Fuchs and Lipson, arXiv:1506.06579, section 3: Gaussian blur
against high frequencies. Mahendran and Vedaldi, arXiv:1412.0035, equation 4: total variation.
Mordvintsev, Olah and Tyka, "Inceptionism" (2015): octaves, coarse shapes before fine ones, and
jitter. Feichtenhofer, Pinz, Wildes and Zisserman, arXiv:1801.01415, weigh the variation over time
apart from that over space: weak, the clip may flicker; strong, it shows slow motion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from zoopraxis.errors import RecipeError, ShapeError, ZoopraxisError
from zoopraxis.inputs import RGB, ClipSpec
from zoopraxis.models.base import VideoClassifier

__all__ = ["DrawSettings", "Drawn", "deep_draw"]


@dataclass(frozen=True, kw_only=True)
class DrawSettings:
    """How to draw.

    Parameters
    ----------
    motion : {"clip", "still"}, default="clip"
        Draw every frame, or one picture that all frames show.
    octaves : int, default=4
        The first is the coarsest; each is ``octave_scale`` times as large as the one before, and
        the last as large as the network's input.
    octave_scale : float, default=1.4
        At least 1.
    steps : int, default=64
        Of gradient ascent, in each octave.
    rate : float, default=0.02
        Mean change of a pixel in one step, of values from 0 to 1; it falls linearly to a quarter.
    jitter : int, default=8
        Pixels by which the picture is shifted at random in each step, at most.
    blur : (float, float), default=(1.0, 0.4)
        Standard deviation of the Gaussian blur, in pixels, at the first and the last step of an
        octave; applied every fourth step.
    decay : float, default=0.002
        Fraction by which pixels return to grey in each step.
    variation, variation_in_time : float
        Weight of the total variation over height and width, and over time, by default 0.05 each:
        of the step that the gradient of the logit makes.
    seed : int, default=0
        Of the noise at the start, and of the jitter.
    """

    motion: Literal["clip", "still"] = "clip"
    octaves: int = 4
    octave_scale: float = 1.4
    steps: int = 64
    rate: float = 0.02
    jitter: int = 8
    blur: tuple[float, float] = (1.0, 0.4)
    decay: float = 0.002
    variation: float = 0.05
    variation_in_time: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        least = {
            "octaves": (self.octaves, 1),
            "octave_scale": (self.octave_scale, 1),
            "steps": (self.steps, 1),
            "rate": (self.rate, 0),
            "jitter": (self.jitter, 0),
            "blur": (min(self.blur), 0),
            "decay": (self.decay, 0),
            "variation": (self.variation, 0),
            "variation_in_time": (self.variation_in_time, 0),
        }
        for name, (value, bound) in least.items():
            if value < bound:
                raise RecipeError(f"{name} is {value}", f"give {bound} or more")
        if self.motion not in ("clip", "still"):
            raise RecipeError(f"motion is {self.motion!r}", "give 'clip' or 'still'")


class Drawn(NamedTuple):
    """What a network takes for a class.

    Parameters
    ----------
    pictures : Tensor of uint8, shape (T, S, S, 3)
        RGB; T is 1 of a still.
    score : float
        Probability that the network gives them for the class.
    """

    pictures: Tensor
    score: float


def deep_draw(
    model: VideoClassifier,
    clip: ClipSpec,
    label: int,
    *,
    settings: DrawSettings | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Drawn:
    """Draw what a network takes for a class.

    Parameters
    ----------
    model : VideoClassifier
        It moves to the device and is set to evaluation mode.
    clip : ClipSpec
        The clip that it expects, of RGB frames.
    label : int
        The class.
    settings : DrawSettings, optional
        How to draw.
    device : str or torch.device, default="cpu"
        Where to run.
    progress : callable, optional
        Called with the number of steps done, and of all.

    Returns
    -------
    Drawn

    Raises
    ------
    ZoopraxisError
        The network does not read RGB frames.
    ShapeError
        The class does not exist.
    """
    rules, kind = settings or DrawSettings(), clip.input
    if type(kind) is not RGB:
        raise ZoopraxisError(
            f"input of kind {kind.kind!r} cannot be drawn", "choose a network for RGB frames"
        )
    if not 0 <= label < model.num_classes:
        raise ShapeError(
            f"class {label} of a network of {model.num_classes} classes",
            f"classes are 0 to {model.num_classes - 1}",
        )
    model = model.to(device).eval()
    rng = torch.Generator().manual_seed(rules.seed)
    _, num_frames, size, _ = clip.shape
    shown = num_frames if rules.motion == "clip" else 1
    sides = [round(size / rules.octave_scale**k) for k in reversed(range(rules.octaves))]
    pixels = 0.5 + 0.05 * torch.randn(shown, 3, max(sides[0], 1), max(sides[0], 1), generator=rng)
    pixels = pixels.to(device)  # (T, 3, s, s)
    done = 0
    for side in sides:
        pixels = _resized(pixels, max(side, 1))  # (T, 3, s, s)
        for step in range(rules.steps):
            part = step / max(rules.steps - 1, 1)
            shift = torch.randint(-rules.jitter, rules.jitter + 1, (2,), generator=rng).tolist()
            pixels = pixels.roll(shift, dims=(2, 3))
            gradient = _gradient(model, kind, pixels, label, size=size, num_frames=num_frames)
            gradient = gradient / gradient.abs().mean().clamp(min=1e-12)
            gradient = gradient - rules.variation * _slope(pixels, 2) / 2
            gradient = gradient - rules.variation * _slope(pixels, 3) / 2
            gradient = gradient - rules.variation_in_time * _slope(pixels, 0)
            pixels = pixels + rules.rate * (1 - 0.75 * part) * gradient
            pixels = 0.5 + (pixels - 0.5) * (1 - rules.decay)
            if step % 4 == 3:
                pixels = _blurred(pixels, rules.blur[0] + part * (rules.blur[1] - rules.blur[0]))
            pixels = pixels.clamp(0, 1).roll([-by for by in shift], dims=(2, 3))
            done += 1
            if progress:
                progress(done, len(sides) * rules.steps)
    frames = (_resized(pixels, size) * 255).round().to(torch.uint8)  # (T, 3, S, S)
    with torch.no_grad():
        logits = model(_clip(kind, frames / 255, num_frames))  # (1, K)
    return Drawn(frames.movedim(1, -1).cpu(), float(logits.softmax(dim=1)[0, label]))


def _gradient(
    model: VideoClassifier, kind: RGB, pixels: Tensor, label: int, *, size: int, num_frames: int
) -> Tensor:
    """Gradient (T, 3, s, s) of the logit of a class."""
    leaf = pixels.detach().requires_grad_()
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # LSTMs, see `cam`
        logit = model(_clip(kind, _resized(leaf, size), num_frames))[0, label]
        (gradient,) = torch.autograd.grad(logit, leaf)
    return gradient


def _clip(kind: RGB, pixels: Tensor, num_frames: int) -> Tensor:
    """Map pixels (T, 3, S, S) in [0, 1], T or 1, to the input of the network (1, 3, T, S, S)."""
    x = kind.normalise(kind.order(pixels.cpu()))  # `normalise` works on the CPU
    x = x.expand(num_frames, -1, -1, -1).transpose(0, 1)[None]  # (1, 3, T, S, S)
    return x.to(pixels.device)


def _resized(x: Tensor, side: int) -> Tensor:
    if x.shape[-1] == side:
        return x
    return F.interpolate(x, size=(side, side), mode="bilinear").clamp(0, 1)


def _slope(x: Tensor, dim: int) -> Tensor:
    """Gradient of the total variation along one axis: of the sum of |x_i+1 - x_i|."""
    signs = x.diff(dim=dim).sign()
    zero = torch.zeros_like(x.narrow(dim, 0, 1))
    return torch.cat([zero, signs], dim=dim) - torch.cat([signs, zero], dim=dim)


def _blurred(x: Tensor, sigma: float) -> Tensor:
    """Blur (T, 3, H, W) by a Gaussian, edges repeated."""
    if sigma <= 0:
        return x
    radius = max(1, round(3 * sigma))
    places = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (places / sigma) ** 2)
    kernel = (kernel / kernel.sum())[None, None]  # (1, 1, n)
    for dim in (2, 3):
        y = x.movedim(dim, -1)  # (T, 3, ., n)
        lines = F.pad(y.reshape(-1, 1, y.shape[-1]), (radius, radius), mode="replicate")
        x = F.conv1d(lines, kernel).reshape(y.shape).movedim(-1, dim)  # (T, 3, H, W)
    return x
