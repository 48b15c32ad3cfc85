"""Published checkpoints of 3D ResNets and DenseNet: their classes, and the keys of 2018."""

import re

from zoopraxis.checkpoints.convert import convert_state_dict
from zoopraxis.checkpoints.create import create_model
from zoopraxis.models import list_models
from zoopraxis.weights import weights_of


def test_checkpoints_have_the_classes_of_their_data_sets():
    classes = {w.file: w.num_classes for w in weights_of("resnet3d_50")}

    assert classes["r3d50_KMS_200ep.pth"] == 700 + 339 + 100
    assert classes["r3d50_KM_200ep.pth"] == 700 + 339
    names = [*list_models(family="resnet3d"), *list_models(family="densenet3d")]
    tags = [w.tag for n in names for w in weights_of(n)]
    assert (len(tags), tags.count("k400")) == (17 + 11, 11)


def test_dense_layers_of_2018_have_dots_in_their_names():
    state = create_model("densenet3d_121", num_classes=3).state_dict()

    def name_of_2018(key):
        key = re.sub(r"^stem\.(conv|norm)\.", r"module.features.\g<1>0.", key)
        key = re.sub(
            r"^blocks\.(\d)\.(\d+)\.(norm|conv)",
            lambda m: (
                f"module.features.denseblock{int(m[1]) + 1}.denselayer{int(m[2]) + 1}.{m[3]}."
            ),
            key,
        )
        key = re.sub(
            r"^transitions\.(\d)", lambda m: f"module.features.transition{int(m[1]) + 1}", key
        )
        key = re.sub(r"^norm\.", "module.features.norm5.", key)
        return re.sub(r"^head\.linear\.", "module.classifier.", key)

    foreign = {name_of_2018(key): tensor for key, tensor in state.items()}
    converted = convert_state_dict("densenet3d_121", foreign, source="hara")

    assert "module.features.denseblock1.denselayer1.norm.1.weight" in foreign
    assert all(converted[key] is tensor for key, tensor in state.items())
