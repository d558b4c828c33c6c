"""The slim generator and the painter over it."""

import pytest
import torch

from everybody_dance.networks.fast import FastGenerator
from everybody_dance.performer.painter import Painter
from everybody_dance.performer.tensors import to_images, to_tensor


@pytest.mark.parametrize(("previous_frame", "puppet"), [(True, False), (False, True)])
def test_every_parameter_is_trained(previous_frame: bool, puppet: bool) -> None:
    torch.manual_seed(0)
    network = FastGenerator(width=4, levels=3, previous_frame=previous_frame, puppet=puppet)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    pose, plate, previous = torch.rand(3, 1, 3, 32, 48).unbind()
    colours, logits = network(pose, plate, previous)
    assert colours.shape == (1, 3, 32, 48)
    assert logits.shape == (1, 1, 32, 48)
    (colours.sum() + logits.sum()).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_it_moves_with_its_window() -> None:
    torch.manual_seed(0)
    network = FastGenerator(width=4, levels=2, previous_frame=False)
    images = torch.zeros(2, 1, 3, 160, 160)
    images[0, ..., 64:96, 64:96] = torch.rand(1, 3, 32, 32)
    moved = images.roll(network.stride, -1)
    colours, _ = network(images[0], images[1], None)
    moved_colours, _ = network(moved[0], moved[1], None)
    inner = (..., slice(48, 112), slice(56, 112))
    assert torch.allclose(colours.roll(network.stride, -1)[inner], moved_colours[inner], atol=1e-5)


def test_sides_must_fit() -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        FastGenerator()(torch.zeros(1, 3, 48, 32), torch.zeros(1, 3, 48, 32), None)


def test_the_previous_frame_counts_only_where_it_is_taken() -> None:
    torch.manual_seed(0)
    pose, plate, previous = torch.rand(3, 1, 3, 64, 64).unbind()
    for taken in (True, False):
        painter = Painter("fast", previous_frame=taken, over_plate=True, arguments={"width": 4})
        torch.nn.init.normal_(painter.generator.head.weight)
        differs = not torch.equal(painter(pose, plate, previous).frame, painter(pose, plate, None).frame)
        assert differs is taken


def test_where_the_mask_is_shut_the_plate_shows() -> None:
    painter = Painter("fast", previous_frame=False, over_plate=True, arguments={"width": 4})
    torch.nn.init.constant_(painter.generator.head.bias, -100.0)
    pose, plate = torch.rand(2, 1, 3, 64, 64).unbind()
    assert torch.equal(painter(pose, plate, None).frame, plate)


def test_a_puppet_is_kept_where_the_generator_says_so() -> None:
    painter = Painter("fast", previous_frame=False, over_plate=True, puppet=True, arguments={"width": 4, "shrink": 1})
    pose, plate, shown = torch.rand(3, 1, 3, 64, 64).unbind()
    bias = painter.generator.head.bias
    with torch.no_grad():
        bias[3] = 100.0  # the mask is open
        for trust, expected in ((100.0, shown), (-100.0, torch.zeros(()))):
            bias[4] = trust
            torch.nn.init.zeros_(painter.generator.head.weight)
            assert torch.allclose(painter(pose, plate, None, shown).frame, expected, atol=1e-6)


def test_without_a_plate_the_whole_picture_is_painted() -> None:
    painter = Painter("fast", previous_frame=False, over_plate=False, arguments={"width": 4})
    pose, plate, other = torch.rand(3, 1, 3, 64, 64).unbind()
    painted = painter(pose, plate, None)
    assert painted.mask is None
    assert torch.equal(painted.frame, painter(pose, other, None).frame)


def test_paper_generator_takes_zeros_before_the_first_frame() -> None:
    torch.manual_seed(0)
    arguments = {"width": 4, "downsamplings": 1, "blocks": 1}
    painter = Painter("pix2pixhd", previous_frame=True, over_plate=False, arguments=arguments)
    pose = torch.rand(1, 3, 16, 16)
    assert torch.equal(painter(pose, pose, None).frame, painter(pose, pose, torch.zeros_like(pose)).frame)


def test_pictures_survive_the_way_to_tensors_and_back() -> None:
    images = torch.randint(0, 256, (2, 4, 6, 3), dtype=torch.uint8).numpy()
    tensor = to_tensor(images, torch.device("cpu"))
    assert tensor.shape == (2, 3, 4, 6)
    assert tensor.abs().max() <= 1
    assert (to_images(tensor) == images).all()
