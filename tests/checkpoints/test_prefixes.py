"""What training puts before the keys of a state dict: taken off, said, and nothing else."""

from pathlib import Path

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_checkpoint, convert_state_dict, unwrap
from zoopraxis.checkpoints.saved import convert_file
from zoopraxis.errors import ConversionError
from zoopraxis.models import list_models
from zoopraxis.testing import read_golden, read_index
from zoopraxis.weights import sources_of

GOLDEN = Path(__file__).parents[1] / "golden"
MODEL, SOURCE = "resnet3d_10", "hara"


def put_before(prefix):
    return lambda state: {prefix + key: tensor for key, tensor in state.items()}


def averaged(state):
    return {"n_averaged": torch.tensor(3), **put_before("module.")(state)}


def compiled_inside(state):
    """torch.compile of a part: the mark is in the middle of some keys."""
    return {
        ".".join([key.partition(".")[0], "_orig_mod", key.partition(".")[2]])
        if key.startswith("layer1")
        else key: tensor
        for key, tensor in state.items()
    }


WRAPPED = {
    "ddp": ([put_before("module.")], ("module.",)),
    "compiled": ([put_before("_orig_mod.")], ("_orig_mod.",)),
    "lightning": ([put_before("model.")], ("model.",)),
    "net": ([put_before("net.")], ("net.",)),
    "averaged": ([averaged], ("module.",)),
    "part": ([compiled_inside], ("_orig_mod.",)),
    "fsdp": ([put_before("_fsdp_wrapped_module.")], ("_fsdp_wrapped_module.",)),
    "compiled in lightning": (
        [put_before("_orig_mod."), put_before("model.")],
        ("_orig_mod.", "model."),
    ),
    "lightning compiled": (
        [put_before("model."), put_before("_orig_mod.")],
        ("_orig_mod.", "model."),
    ),
    "ddp averaged": ([put_before("module."), averaged], ("module.", "module.")),
    "averaged in ddp": ([averaged, put_before("module.")], ("module.", "module.")),
    "all": (
        [put_before("module."), put_before("_orig_mod."), averaged, put_before("model.")],
        ("_orig_mod.", "model.", "module.", "module."),
    ),
}


@pytest.fixture(scope="module")
def state():
    return read_golden("hara_resnet10", GOLDEN).state_dict()


@pytest.fixture(scope="module")
def plain(state):
    return convert_state_dict(MODEL, state, source=SOURCE)


@pytest.mark.parametrize("name", WRAPPED)
def test_prefixes_are_taken_off_in_any_nesting_and_told(state, plain, name):
    wraps, expected = WRAPPED[name]
    for wrap in wraps:
        state = wrap(state)

    converted = convert_checkpoint(MODEL, {"epoch": 3, "state_dict": state}, source=SOURCE)

    assert converted.taken_off == expected
    assert list(converted.state) == list(plain)
    assert all(torch.equal(converted.state[key], plain[key]) for key in plain)


def test_nothing_is_taken_off_what_fits_as_it_is(state):
    assert convert_checkpoint(MODEL, state, source=SOURCE).taken_off == ()


def test_the_line_is_said_by_conversion_of_files_alone(state, tmp_path, capsys):
    wrapped = put_before("_orig_mod.")(put_before("module.")(state))
    convert_state_dict(MODEL, wrapped, source=SOURCE)
    assert capsys.readouterr() == ("", "")

    torch.save({"state_dict": wrapped}, tmp_path / "run.ckpt")
    said = []
    convert_file(
        tmp_path / "run.ckpt",
        model=MODEL,
        source=SOURCE,
        out=tmp_path / "a.safetensors",
        say=said.append,
    )

    assert said == ["took '_orig_mod.' and 'module.' off the keys of run.ckpt"]
    torch.save(wrapped, tmp_path / "run.ckpt")
    convert_file(tmp_path / "run.ckpt", model=MODEL, source=SOURCE, out=tmp_path / "a.safetensors")
    assert capsys.readouterr() == ("", f"{said[0]}\n")


def test_what_is_beside_the_network_is_not_dropped(state):
    # a loss with weights of its own, as Lightning saves it: no prefix is shared
    beside = {**put_before("model.")(state), "criterion.weight": torch.ones(3)}

    with pytest.raises(ConversionError, match="keys unknown"):
        convert_state_dict(MODEL, beside, source=SOURCE)


def test_two_keys_may_not_become_one_where_a_mark_is_taken_off(state):
    both = {**put_before("_orig_mod.")(state), **state}

    with pytest.raises(ConversionError, match=r"two keys are renamed to 'conv1\.weight'"):
        convert_state_dict(MODEL, both, source=SOURCE)


def test_the_error_speaks_of_the_form_that_comes_nearest(state):
    wrapped = put_before("module.")(state)
    del wrapped["module.fc.bias"]

    with pytest.raises(ConversionError, match=r"1 keys missing, the first 'head\.linear\.bias'"):
        convert_state_dict(MODEL, wrapped, source=SOURCE)


@pytest.mark.parametrize(
    "wrong", [{"epoch": 3}, {7: torch.ones(1)}, {"w": [1.0]}], ids=["number", "key", "list"]
)
def test_what_is_no_state_dict_is_refused(state, wrong):
    with pytest.raises(ConversionError, match="tensors by name"):
        convert_state_dict(MODEL, {**state, **wrong}, source=SOURCE)


def test_dicts_in_dicts_are_unwrapped_and_one_in_itself_ends():
    inner = {"w": torch.ones(1)}
    assert unwrap({"model": {"epoch": 1, "state_dict": {"model_state": inner}}}) is inner

    endless = {}
    endless["model"] = endless
    assert unwrap(endless) is endless


# Every source: what stands before its keys belongs to them

NAMES = {*list_models(), *list_models("test_*")}
ROWS = {  # a golden of each source, the first
    (row["model"], row["source"]): row["golden"]
    for row in reversed(read_index(GOLDEN))
    if row["model"] in NAMES and row["source"] in sources_of(row["model"])
}
ONE_OF_EACH = {  # one model of each set of rules
    id(sources_of(model)[source]): (golden, model, source)
    for (model, source), golden in ROWS.items()
}.values()
SOME = sorted(ONE_OF_EACH)[::6]


def shapes_of(golden):
    """A golden's state with empty memory: conversion moves tensors, whatever is in them."""
    return {
        key: torch.empty(entry["shape"], device="meta")
        for key, entry in read_golden(golden, GOLDEN).record["state_dict"].items()
    }


def check_source(golden, model, source):
    state = shapes_of(golden)
    direct = convert_checkpoint(model, state, source=source)
    assert direct.taken_off == ()
    for prefix in ("module.", "_orig_mod."):
        wrapped = convert_checkpoint(model, put_before(prefix)(state), source=source)
        # rules may look for a part of a key, so some sources fit with the prefix as well
        assert wrapped.taken_off in ((), (prefix,))
        assert {k: v.shape for k, v in wrapped.state.items()} == {
            k: v.shape for k, v in direct.state.items()
        }


@pytest.mark.parametrize(("golden", "model", "source"), SOME)
def test_published_keys_convert_as_they_are_and_wrapped(golden, model, source):
    check_source(golden, model, source)


@pytest.mark.slow
@pytest.mark.parametrize(("golden", "model", "source"), sorted(ONE_OF_EACH))
def test_published_keys_of_every_source_convert_as_they_are_and_wrapped(golden, model, source):
    check_source(golden, model, source)
