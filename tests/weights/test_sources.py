"""Every source, and files that do not fit it: the error names the keys."""

import pytest
import torch

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.errors import ConversionError
from zoopraxis.models import list_models
from zoopraxis.weights import sources_of

SOURCES = {  # each once, with a model that has it: a tiny one where there is one
    id(source): (name, key)
    for name in [*list_models(), *list_models("test_*")]
    for key, source in sources_of(name).items()
}.values()
ADAPTED = [(name, key) for name, key in SOURCES if sources_of(name)[key].adapt]


@pytest.mark.parametrize(("name", "source"), SOURCES)
def test_a_file_of_something_else_is_refused(name, source):
    state = {"some.weight": torch.zeros(3, 4), "some.bias": torch.zeros(3)}

    with pytest.raises(ConversionError, match=r"keys missing, the first '.+keys unknown") as caught:
        convert_state_dict(name, state, source=source)
    assert source in caught.value.problem


@pytest.mark.parametrize(("name", "source"), ADAPTED)
def test_tensors_of_any_shape_reach_the_check_that_names_them(name, source):
    with torch.device("meta"):
        keys = list(create_model(name, source=source).state_dict())

    for shape in [(6,), (2, 3), (1, 2, 3), (1, 2, 3, 4), (1, 2, 3, 4, 5)]:
        for some in (keys, keys[::2], keys[1::2]):
            made = sources_of(name)[source].adapt(dict.fromkeys(some, torch.zeros(shape)))
            assert set(some) <= set(made)
