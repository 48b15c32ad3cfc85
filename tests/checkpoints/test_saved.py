"""Our files: what is opened is the network that was saved, or an error says what is wrong."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from damage import CAMPAIGN, Counts, damaged
from zoopraxis.checkpoints.config import ModelConfig, hash_weights
from zoopraxis.checkpoints.create import create_model
from zoopraxis.checkpoints.saved import open_model, save_model
from zoopraxis.errors import CheckpointError, ModelNotFoundError, ZoopraxisError
from zoopraxis.models import list_models, model_spec
from zoopraxis.testing import noise_clip
from zoopraxis.training.build import start_network
from zoopraxis.training.recipe import ModelPart
from zoopraxis.weights import sources_of

TINY = "test_r2plus1d"
BUILDS = [(name, source) for name in list_models("test_*") for source in ("", *sources_of(name))]


def config_of(name, **fields):
    spec = model_spec(name)
    labels = tuple(f"class {k}" for k in range(create_model(name).num_classes))
    return ModelConfig(**{"name": name, "clip": spec.clip, "labels": labels, **fields})


@pytest.fixture
def saved(tmp_path):
    config = config_of(TINY, labels=("a", "b", "c"))
    config = replace(config, clip=config.clip.change(num_frames=4, mean=(0.5,) * 3))
    model = config.build().eval()
    return model, config, save_model(tmp_path / "run" / "final.safetensors", model, config)


@torch.no_grad()
def test_a_saved_model_opens_as_it_was(saved):
    model, config, path = saved

    net = open_model(path)

    assert net.labels == ("a", "b", "c")
    assert net.config == replace(config, sha256=hash_weights(model.state_dict()))
    x = noise_clip((1, *net.clip.shape))
    assert torch.equal(net.model(x), model(x))


@pytest.mark.parametrize(("name", "source"), BUILDS)
def test_what_is_fine_tuned_again_and_again_stays_the_same_network(name, source, tmp_path):
    # source, arguments and clip of a file must reach the files of the runs that start from it
    clip = model_spec(name).clip.change(fps=12.5)
    config = config_of(name, source=source, clip=clip)
    model = config.build()
    file = save_model(tmp_path / "converted.safetensors", model, config)

    for run in ("first", "second"):
        model, config = start_network(ModelPart(name=name, weights=str(file)), labels=config.labels)
        step(model, clip)
        file = save_model(tmp_path / run / "best.safetensors", model, config)

    net = open_model(file)
    inputs = example(clip)
    with torch.no_grad():
        assert torch.equal(net.model(*inputs), model.eval()(*inputs))
    assert (net.config.source, net.clip) == (source, clip)
    assert repr(net.model) == repr(create_model(name, source=source))  # paddings, epsilons, ...


def example(clip, **options):
    """What a network is called with: one tensor, or several."""
    inputs = clip.example(**options)
    return inputs if isinstance(inputs, tuple) else (inputs,)


def step(model, clip):
    """One step of training."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    model.train()
    model(*example(clip, batch=2, seed=3)).square().mean().backward()
    optimizer.step()


EVERY_SOURCE = {  # each once, with a model that has it
    id(source): (name, key)
    for name in [*list_models(), *list_models("test_*")]
    for key, source in sources_of(name).items()
}.values()


@pytest.mark.parametrize(("name", "source"), EVERY_SOURCE)
def test_the_json_of_every_source_builds_its_network(name, source):
    labels = tuple(f"class {k}" for k in range(9))
    config = ModelConfig(name=name, source=source, clip=model_spec(name).clip, labels=labels)

    again = ModelConfig.from_dict(json.loads(json.dumps(config.to_dict())), where="a.json")

    assert again == config
    with torch.device("meta"):
        built, expected = again.build(), create_model(name, source=source, num_classes=9)
    assert repr(built) == repr(expected)


def test_a_recipes_arguments_come_on_top_of_a_files(saved):
    _, config, path = saved
    part = ModelPart(name=TINY, weights=str(path), args={"dropout": 0.75}, source="torchvision")

    model, tuned = start_network(part, labels=config.labels)

    assert model.head.dropout.p == 0.75
    assert (tuned.args, tuned.source) == ({"dropout": 0.75}, "torchvision")
    assert tuned.clip == config.clip


def test_what_started_from_weights_of_timm_opens_without_them(tmp_path):
    args = {"backbone": "resnet10t", "num_frames": 4}
    config = ModelConfig(
        name="tsn_timm",
        args={**args, "pretrained": True},
        clip=model_spec("tsn_timm").clip.change(num_frames=4),
        labels=("sit", "stand"),
    )
    model = create_model("tsn_timm", num_classes=2, **args)  # as after a download

    net = open_model(save_model(tmp_path / "tsn.safetensors", model, config))

    assert net.config.args == args


def test_classes_are_those_of_the_run(saved):
    model, tuned = start_network(ModelPart(name=TINY, weights=str(saved[2])), labels=("x", "y"))

    assert model.num_classes == 2
    assert tuned.labels == ("x", "y")


# References


def test_a_bare_name_opens_with_numbers_for_labels():
    assert open_model(TINY).labels == tuple(str(k) for k in range(12))


def test_two_random_networks_are_two_identities():
    assert open_model(TINY).config.key != open_model(TINY).config.key


def test_a_folder_called_like_a_model_does_not_shadow_it(tmp_path, monkeypatch):
    (tmp_path / TINY).mkdir()
    monkeypatch.chdir(tmp_path)

    assert open_model(TINY).config.name == TINY
    with pytest.raises(CheckpointError, match=r"holds no best\.safetensors"):
        open_model(f"./{TINY}")


def test_the_folder_of_a_run_opens_its_best_weights(saved, monkeypatch):
    _, config, final = saved
    run = final.parent
    best = config.build()
    assert open_model(run).config.sha256 == open_model(final).config.sha256

    save_model(run / "best.safetensors", best, config)

    assert open_model(run).config.sha256 == hash_weights(best.state_dict())
    monkeypatch.chdir(run.parent)
    assert open_model("run/").config == open_model(run).config
    assert open_model("run").config == open_model(run).config  # no model has this name


def test_unknown_names_files_and_tags(tmp_path):
    with pytest.raises(ModelNotFoundError, match="no model called 'r2plus1d_19'") as caught:
        open_model("r2plus1d_19")
    assert "r2plus1d_18" in caught.value.hint
    with pytest.raises(CheckpointError, match="no file"):
        open_model(tmp_path / "absent.safetensors")
    with pytest.raises(ModelNotFoundError, match="no weights called 'ucf101'") as caught:
        open_model("r3d_18.ucf101")
    assert "torchvision_k400" in caught.value.hint


# Sidecars


def test_without_its_sidecar_a_file_says_itself_what_it_is(saved):
    saved[2].with_suffix(".json").unlink()

    assert open_model(saved[2]).clip == saved[1].clip


def test_labels_in_a_sidecar_may_be_edited(saved):
    path = saved[2].with_suffix(".json")
    path.write_text(path.read_text().replace('"a"', '"apple"'))

    assert open_model(saved[2]).labels == ("apple", "b", "c")


def test_a_sidecar_of_other_weights_is_not_believed(saved, tmp_path):
    _, config, path = saved
    other = save_model(tmp_path / "other.safetensors", config.build(), config)
    other.with_suffix(".json").rename(path.with_suffix(".json"))

    assert open_model(path).config.sha256 == hash_weights(saved[0].state_dict())  # the header's

    save_file(saved[0].state_dict(), path)  # no header now
    with pytest.raises(CheckpointError, match=r"final.json describes other weights"):
        open_model(path)


def test_weights_that_say_nothing_about_themselves(saved, tmp_path):
    save_file(saved[0].state_dict(), tmp_path / "a.safetensors")

    with pytest.raises(CheckpointError, match=r"no sidecar a\.json"):
        open_model(tmp_path / "a.safetensors")


def side(path, **changes):
    """Write another sidecar for a file whose header says nothing."""
    from safetensors.torch import load_file

    values = json.loads(path.with_suffix(".json").read_text())
    save_file(load_file(path), path)
    path.with_suffix(".json").write_text(json.dumps({**values, **changes}))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "r2plus1d_19"}, "no model called 'r2plus1d_19'"),
        ({"labels": []}, "labels are not a list of names"),
        ({"labels": "abc"}, "no labels"),
        ({"clip": {"sampling": {"num_frames": "four"}, "input": {"kind": "rgb"}}}, "num_frames"),
        ({"clip": 3}, "no clip"),
        ({"args": {"depth": 18}}, "does not hold a test_r2plus1d"),
        ({"args": {"depht": 18}}, "cannot be built with"),
        ({"source": "mmaction3"}, "no source called 'mmaction3'"),
        ({"labels": ["a", "b"]}, "does not hold a test_r2plus1d"),
    ],
)
def test_a_sidecar_that_is_wrong_is_refused_by_name(saved, changes, problem):
    side(saved[2], **changes)

    with pytest.raises((CheckpointError, ModelNotFoundError), match=problem) as caught:
        open_model(saved[2])
    assert "final" in caught.value.problem or "source" in caught.value.problem


@pytest.mark.parametrize("text", ["{", "[" * 10_000, "3", "é".encode("latin-1")])
def test_a_sidecar_that_is_no_json(saved, text):
    side(saved[2])
    data = text if isinstance(text, bytes) else text.encode()
    saved[2].with_suffix(".json").write_bytes(data)

    with pytest.raises(CheckpointError, match=r"final\.json"):
        open_model(saved[2])


def test_damaged_weights(saved):
    saved[2].write_bytes(saved[2].read_bytes()[:100])

    with pytest.raises(CheckpointError, match=r"final\.safetensors is not a safetensors file"):
        open_model(saved[2])


def test_arguments_that_are_not_json_are_refused(tmp_path):
    config = config_of(TINY, args={"width": torch.nn.ReLU})

    with pytest.raises(CheckpointError, match="not plain JSON"):
        save_model(tmp_path / "a.safetensors", create_model(TINY), config)
    assert not list(tmp_path.iterdir())


def test_the_key_is_of_all_that_decides():
    config = config_of(TINY, sha256="0")
    others = [
        replace(config, source="torchvision"),
        replace(config, args={"width": 8}),
        replace(config, clip=config.clip.change(stride=2)),
        replace(config, labels=tuple(reversed(config.labels))),
        replace(config, sha256="1"),
    ]
    assert len({config.key, *(other.key for other in others)}) == 6
    assert replace(config, origin={"url": "elsewhere"}).key == config.key


def test_the_hash_of_weights_is_of_their_names_shapes_and_values():
    state = {"a": torch.arange(6.0), "b": torch.ones(2)}
    same = {"b": torch.ones(2), "a": torch.arange(12.0)[::2] / 2}
    assert hash_weights(state) == hash_weights(same)
    others = [
        {**state, "a": torch.arange(6.0).view(2, 3)},
        {**state, "a": torch.arange(6)},
        {"c": state["a"], "b": state["b"]},
        {**state, "b": torch.tensor([1.0, 1.0000001])},
    ]
    assert len({hash_weights(s) for s in (state, *others)}) == 5


# A sidecar is not believed


def sampling(**changes):
    return {"clip": {"sampling": changes, "input": {"kind": "rgb"}}}


def images(**changes):
    return {"clip": {"sampling": {}, "input": {"kind": "rgb", **changes}}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        *((sampling(num_frames=n), "num_frames") for n in (0, -1, 10**9, "four", 1.5, True)),
        (sampling(stride=0), "stride must be"),
        (sampling(stack=10**9), "stack must be"),
        *((sampling(fps=rate), "fps") for rate in (0, -25, 1e-9, 1e9, "25")),
        (sampling(mode="loop"), "mode"),
        (images(size=0), "size 0 are not pixels"),
        (images(size=10**9), "not pixels"),
        (images(resize=[0, 5]), "not pixels"),
        (images(std=[0.0]), "std"),
        (images(mean=[1e400]), "Infinity is not a number of JSON"),
        (images(value_range=0), "value_range"),
        (images(mean=[0.5, 0.5]), "mean has 2 values"),
        (sampling(fps=float("nan")), "NaN is not a number of JSON"),
        ({"args": {"num_classes": -5}}, "num_classes is -5, of 3 labels"),
        ({"args": {"num_classes": 10**12}}, "num_classes is 1000000000000, of 3 labels"),
        ({"args": {"width": 10**12}}, "args have the number 1000000000000"),
        ({"args": {"deep": [{"er": 10**9}]}}, "args have the number 1000000000"),
        ({"args": {"dropout": float("nan")}}, "NaN is not a number of JSON"),
        ({"args": {"width": 4000}}, "far more bytes than the file"),
        ({"args": {"layers": [100_000, 1, 1, 1]}}, "far more|cannot be built"),
        ({"args": {"depth": "x"}}, "cannot be built with"),
        ({"labels": [str(k) for k in range(200_000)]}, "far more bytes|does not hold"),
        ({"source": 3}, "source 3 is not a text"),
        ({"origin": [1]}, "origin .* is not a table"),
    ],
)
def test_values_out_of_range_are_refused_by_file_and_name(saved, changes, problem):
    side(saved[2], **changes)

    with pytest.raises(CheckpointError, match=problem) as caught:
        open_model(saved[2])
    assert "final" in caught.value.problem


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"labels": ["\xe9"]}', "cannot be read as text"),
        (b"[" * 200_000 + b"]" * 200_000, "is not JSON"),
        (b'{"a":' * 50_000, "is not JSON"),
        (b'{"name": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b" " * (33 << 20), "no description of a network"),
    ],
)
def test_json_of_any_kind_is_refused_by_name(saved, data, problem):
    side(saved[2])
    saved[2].with_suffix(".json").write_bytes(data)

    with pytest.raises(CheckpointError, match=problem) as caught:
        open_model(saved[2])
    assert "final.json" in caught.value.problem


def test_a_network_larger_than_its_file_is_never_allocated(saved, monkeypatch):
    side(saved[2], args={"width": 4000})
    devices = []
    build = ModelConfig.build

    def spied(config):
        devices.append(torch.get_default_device().type)
        return build(config)

    monkeypatch.setattr(ModelConfig, "build", spied)

    with pytest.raises(CheckpointError, match="far more bytes"):
        open_model(saved[2])
    assert devices == ["meta"]


def test_of_a_configuration_that_does_not_fit_the_first_tensor_is_named(saved):
    side(saved[2], labels=["a", "b"])

    with pytest.raises(
        CheckpointError, match=r"first 'head\.linear\.weight': \(3, \d+\), expected"
    ):
        open_model(saved[2])


def test_damaged_configurations_are_refused_or_open(saved, record_property):
    path = saved[2].with_suffix(".json")
    side(saved[2])
    counts = Counts()
    for bad in damaged(path.read_bytes(), 200):
        path.write_bytes(bad)
        try:
            open_model(saved[2])
        except ZoopraxisError as error:
            counts.refusal(error, "final")
            continue
        counts.read += 1
    record_property(CAMPAIGN, f"sidecars: {counts}")
    assert counts.refused > 50


# Random weights say so


def test_only_a_bare_name_opens_untrained(saved, monkeypatch):
    assert open_model(TINY).trained is False
    assert open_model(saved[2]).trained is True
    assert open_model(saved[2].parent).trained is True

    def published(weights, **_):
        return create_model(weights.model, num_classes=weights.num_classes)

    monkeypatch.setattr("zoopraxis.checkpoints.saved.load_published", published)
    assert open_model("r3d_18.torchvision_k400").trained is True
