import pytest
import torch

from model.foundation.errors import InputError
from model.networks import spec_of
from model.networks.featherface_v2 import FeatherFaceV2
from model.networks.retinaface import RetinaFace
from model.training.start import measure_statistics, start_from


def lively(network):
    """Give batch norms statistics that matter."""
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=draw)
            module.running_var.uniform_(0.5, 2, generator=draw)
    return network.eval()


def test_the_donors_features_come_over():
    """Away from the borders (black for the student, mean colour for the donor) both compute the same."""
    torch.manual_seed(0)
    donor, student = lively(RetinaFace()), FeatherFaceV2().eval()
    spec = spec_of("retinaface", 320, 320)
    start_from(student, donor, spec)
    rgb = torch.randint(0, 256, (1, 3, 320, 320)).float()
    with torch.inference_mode():
        mine = student.backbone(rgb)[0]
        theirs = donor.body(rgb.flip(1) - torch.tensor(spec.mean)[None, :, None, None])[0]
    assert theirs.abs().max() > 0.01
    torch.testing.assert_close(mine[..., 4:-4, 4:-4], theirs[..., 4:-4, 4:-4], rtol=1e-3, atol=1e-4)


def test_a_network_without_that_backbone_is_no_donor():
    with pytest.raises(InputError, match="no MobileNetV1 backbone"):
        start_from(FeatherFaceV2(), FeatherFaceV2(), spec_of("featherface_v2", 320, 320))


def test_measured_statistics_are_those_of_the_data():
    torch.manual_seed(1)
    student = FeatherFaceV2().eval()
    batches = [torch.rand(2, 3, 64, 64) * 255 for _ in range(3)]
    before = student.backbone.stem.bn.running_mean.clone()
    measure_statistics(student, batches, ("laterals",))
    unit = student.laterals[0]
    torch.testing.assert_close(student.backbone.stem.bn.running_mean, before)
    with torch.inference_mode():
        maps = [unit.conv(student.backbone(pixels)[0]) for pixels in batches]
    mean = torch.stack([y.mean(dim=(0, 2, 3)) for y in maps]).mean(dim=0)
    variance = torch.stack([y.var(dim=(0, 2, 3)) for y in maps]).mean(dim=0)
    torch.testing.assert_close(unit.bn.running_mean, mean)
    torch.testing.assert_close(unit.bn.running_var, variance, rtol=1e-4, atol=1e-9)
    assert not unit.learn_statistics and not student.training
