"""zoopraxis explain: pictures of what a network sees, and of what it would like to see."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from zoopraxis.cli._shown import ACCEPT_LICENCE, counting_bar, download_bar, warn_untrained
from zoopraxis.errors import ZoopraxisError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from zoopraxis.checkpoints.saved import OpenModel
    from zoopraxis.inputs import Media
    from zoopraxis.models import VideoClassifier

explain = typer.Typer(help="Pictures of what a network sees.", no_args_is_help=True)

Video = Annotated[str, typer.Argument(help="File, URL or folder of frames.")]
Model = Annotated[str, typer.Option(help="NAME.TAG, a run's folder, or a .safetensors file.")]
Out = Annotated[Path, typer.Option(help="A film, .mp4 or .gif, or a sheet of its frames, .png.")]
Start = Annotated[float | None, typer.Option(help="Start of a segment, in seconds.")]
End = Annotated[float | None, typer.Option(help="End of a segment, in seconds.")]
Flow = Annotated[str, typer.Option(help="Folder or file of the video's optical flow.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps.")]
Accept = Annotated[bool, typer.Option("--accept-licence", help=ACCEPT_LICENCE)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@explain.command()
def cam(
    video: Video,
    model: Model,
    out: Out,
    label: Annotated[str, typer.Option(help="Class to explain. Default: the predicted.")] = "",
    layer: Annotated[
        str, typer.Option(help="Module whose map is weighed. Default: the last with positions.")
    ] = "",
    views: Annotated[int, typer.Option(min=1, help="Clips spread over the video.")] = 1,
    start: Start = None,
    end: End = None,
    flow: Flow = "",
    device: Device = "cpu",
    accept_licence: Accept = False,
    as_json: Json = False,
) -> None:
    """Draw where a network looks when it gives a class: Grad-CAM in space and time."""
    import torch

    from zoopraxis.explain.cam import grad_cam, over_clip
    from zoopraxis.explain.shown import check_place, heated, save_pictures, seen_frames
    from zoopraxis.prediction.overlay import draw

    check_place(out)
    net = _open(model, accept_licence)
    chosen = _class(net, label) if label else None
    media = _media(video, start, end, flow)
    frames, fps = seen_frames(media, net.clip, views=views)  # (V, T, S, S, 3)
    network, inputs = _ready(net, media, views=views, device=device)
    if chosen is None:
        with torch.no_grad():  # one class for all clips: the predicted one of the video
            chosen = int(network(*inputs).softmax(dim=1).mean(dim=0).argmax())
    found = grad_cam(network, inputs, label=chosen, layer=layer)
    chances = found.logits.softmax(dim=1)[:, chosen].tolist()  # V
    heat = over_clip(found.heat, frames.shape[1:4])  # (V, T, S, S)
    pictures = []
    for clip, chance in zip(heated(_large(frames), _large_heat(heat)), chances, strict=True):
        row = ((net.labels[chosen], chance),)
        last = max(len(clip) - 1, 1)
        pictures += [draw(picture, row, now=i / last) for i, picture in enumerate(clip)]
    save_pictures(out, pictures, fps=fps)
    facts = {
        "video": media.title,
        "model": net.name,
        "layer": found.layer,
        "map": list(found.heat.shape[1:]),
        "label": net.labels[chosen],
        "scores": chances,
        "out": str(out),
    }
    _report(facts, as_json=as_json)


@explain.command()
def attention(
    video: Video,
    model: Model,
    out: Out,
    block: Annotated[str, typer.Option(help="Non-local block. Default: the last.")] = "",
    at: Annotated[
        tuple[float, float, float],
        typer.Option(help="The position that attends: fractions of time, height and width."),
    ] = (0.5, 0.5, 0.5),
    start: Start = None,
    end: End = None,
    flow: Flow = "",
    device: Device = "cpu",
    accept_licence: Accept = False,
    as_json: Json = False,
) -> None:
    """Draw which positions of a clip one of them attends to, in a non-local block."""
    import cv2
    import numpy as np

    from zoopraxis.explain.attention import attention_row, nonlocal_blocks
    from zoopraxis.explain.cam import over_clip
    from zoopraxis.explain.shown import check_place, heated, save_pictures, seen_frames

    check_place(out)
    net = _open(model, accept_licence)
    media = _media(video, start, end, flow)
    frames, fps = seen_frames(media, net.clip)  # (1, T, S, S, 3)
    network, inputs = _ready(net, media, views=1, device=device)
    row = attention_row(network, inputs, at, block=block)  # (1, T', H', W')
    heat = over_clip(row, frames.shape[1:4])  # (1, T, S, S)
    pictures = heated(_large(frames), _large_heat(heat))[0]  # (T, H, W, 3)
    query = min(int(at[0] * len(pictures)), len(pictures) - 1)
    height, width = pictures.shape[1:3]
    spot = (min(int(at[2] * width), width - 1), min(int(at[1] * height), height - 1))
    pictures[query] = np.asarray(
        cv2.circle(pictures[query].copy(), spot, max(4, width // 40), (0, 255, 120), 2), np.uint8
    )
    save_pictures(out, list(pictures), fps=fps)
    facts = {
        "video": media.title,
        "model": net.name,
        "block": block or list(nonlocal_blocks(network))[-1],
        "map": list(row.shape[1:]),
        "at": list(at),
        "frame": query,
        "out": str(out),
    }
    _report(facts, as_json=as_json)


@explain.command()
def gates(
    video: Video,
    model: Model,
    out: Annotated[Path, typer.Option(help="The sheet, .png.")],
    start: Start = None,
    end: End = None,
    flow: Flow = "",
    device: Device = "cpu",
    accept_licence: Accept = False,
    as_json: Json = False,
) -> None:
    """Draw the gates of a Gate-Shift network: two rows for each of its modules."""
    import torch

    from zoopraxis.explain.gates import gate_maps, save_gates
    from zoopraxis.explain.shown import seen_frames
    from zoopraxis.models.gsm import Gate

    if out.suffix.lower() != ".png":
        raise ZoopraxisError(f"{out} is no .png", "the gates are one picture")
    net = _open(model, accept_licence)
    if not any(isinstance(module, Gate) for module in net.model.modules()):
        raise ZoopraxisError(
            f"{net.name} has no gates", "`zoopraxis models 'gsm*'` lists networks with them"
        )
    media = _media(video, start, end, flow)
    frames, _ = seen_frames(media, net.clip)  # (1, T, S, S, 3)
    network, inputs = _ready(net, media, views=1, device=device)
    maps = {name: gate.cpu() for name, gate in gate_maps(network, inputs[0]).items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_gates(out, torch.from_numpy(frames[0]).movedim(-1, 1), maps)
    facts = {"video": media.title, "model": net.name, "layers": list(maps), "out": str(out)}
    _report(facts, as_json=as_json)


@explain.command("draw")
def draw_class(
    model: Model,
    label: Annotated[str, typer.Option(help="The class to draw.")],
    out: Out,
    motion: Annotated[
        str, typer.Option(help="clip: every frame is drawn; still: one picture for all.")
    ] = "clip",
    octaves: Annotated[int, typer.Option(min=1, help="From coarse to fine.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Of gradient ascent, in each octave.")] = 64,
    variation_in_time: Annotated[
        float, typer.Option(min=0, help="Weight against change over time: more is slower motion.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws another clip.")] = 0,
    device: Device = "cpu",
    accept_licence: Accept = False,
    as_json: Json = False,
) -> None:
    """Draw a clip that a network gives a class, by gradient ascent: DeepDraw."""
    from zoopraxis.explain.deep_draw import DrawSettings, deep_draw
    from zoopraxis.explain.shown import check_place, save_pictures
    from zoopraxis.prediction.pipeline import usable_device

    check_place(out)
    if motion not in ("clip", "still"):
        raise ZoopraxisError(f"--motion is {motion!r}", "give clip or still")
    net = _open(model, accept_licence)
    chosen = _class(net, label)
    rules = DrawSettings(
        motion="clip" if motion == "clip" else "still",
        octaves=octaves,
        steps=steps,
        variation_in_time=variation_in_time,
        seed=seed,
    )
    with counting_bar(f"drawing {label}") as progress:
        drawn = deep_draw(
            _network(net),
            net.clip,
            chosen,
            settings=rules,
            device=usable_device(device),
            progress=progress,
        )
    save_pictures(out, list(_large(drawn.pictures.numpy())), fps=8)
    facts = {"model": net.name, "label": label, "score": drawn.score, "out": str(out)}
    _report(facts, as_json=as_json)


def _open(model: str, accept_licence: bool) -> "OpenModel":
    from zoopraxis.checkpoints.saved import open_model

    with download_bar(model) as downloaded:
        net = open_model(model, accept_licence=accept_licence, progress=downloaded)
    warn_untrained(net)
    return net


def _network(net: "OpenModel") -> "VideoClassifier":
    return cast("VideoClassifier", net.model)


def _media(video: str, start: float | None, end: float | None, flow: str) -> "Media":
    from zoopraxis.inputs import Media

    return Media(path=video, start=start, end=end, flow=flow)


def _class(net: "OpenModel", label: str) -> int:
    """Index of a class."""
    if label not in net.labels:
        known = ", ".join(net.labels[:8]) + (", ..." if len(net.labels) > 8 else "")
        raise ZoopraxisError(
            f"{net.name} has no class {label!r}",
            did_you_mean(label, net.labels, otherwise=f"it has {known}"),
        )
    return net.labels.index(label)


def _ready(
    net: "OpenModel", media: "Media", *, views: int, device: str
) -> "tuple[VideoClassifier, tuple[Tensor, ...]]":
    """Give the network and what it takes of a video, both on the device."""
    from zoopraxis.prediction.pipeline import usable_device, view_inputs

    place = usable_device(device)
    with net.clip.input.open(media) as track:
        inputs, _ = view_inputs(track, media, net.clip, views=views)
    tensors = inputs if isinstance(inputs, tuple) else (inputs,)
    return _network(net).to(place), tuple(x.to(place) for x in tensors)


def _large(pictures: Any) -> Any:
    """Enlarge pictures (..., H, W, 3) of fewer than 224 pixels by a whole factor."""
    factor = -(-224 // pictures.shape[-2])
    return pictures.repeat(factor, axis=-3).repeat(factor, axis=-2)


def _large_heat(heat: "Tensor") -> "Tensor":
    """Enlarge heat (..., H, W) as `_large` does pictures."""
    factor = -(-224 // heat.shape[-1])
    return heat.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)


def _report(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        shown = ", ".join(map(_word, value)) if isinstance(value, list) else _word(value)
        print(f"{name:7}  {shown}")


def _word(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
