"""The paper's networks: sizes, layers, gradients; VGG-19: where its weights come from and what they give."""

import hashlib
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from everybody_dance.errors import DanceError
from everybody_dance.networks import vgg
from everybody_dance.networks.discriminator import MultiscaleDiscriminator
from everybody_dance.networks.normalization import InstanceNorm
from everybody_dance.networks.pix2pixhd import GlobalGenerator, initialize
from everybody_dance.networks.vgg import VGG19Features, download_vgg19, find_vgg19_weights, load_vgg19


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def small_generator() -> GlobalGenerator:
    torch.manual_seed(0)
    network = GlobalGenerator(6, width=4, downsamplings=2, blocks=1)
    initialize(network)
    return network


class TestGlobalGenerator:
    def test_has_the_papers_number_of_parameters(self):
        with torch.device("meta"):
            network = GlobalGenerator(6)
            assert network(torch.zeros(1, 6, 256, 512)).shape == (1, 3, 256, 512)
        assert parameters(network) == 182_452_675

    def test_resizing_leaves_no_chequered_pattern(self):
        # Of a flat picture every pixel away from the edge is alike; transposed convolutions take turns.
        def unevenness(network):
            with torch.no_grad():
                middle = network(torch.full((1, 3, 64, 64), 0.3))[..., 20:44, 20:44]
            return float((middle - middle.mean(dim=(2, 3), keepdim=True)).abs().max())

        torch.manual_seed(0)
        small = {"width": 8, "downsamplings": 2, "blocks": 1}
        resizing, transposed = (GlobalGenerator(3, **small, resizing=how) for how in (1, 0))
        for network in (resizing, transposed):
            for layer in network.layers:
                if isinstance(layer, InstanceNorm):
                    layer.forward = lambda x: x  # of a flat picture it would divide nothing by nothing
        assert unevenness(resizing) < 1e-6
        assert unevenness(transposed) > 1e-3
        assert parameters(resizing) == parameters(transposed)

    def test_has_the_published_layers(self):
        with torch.device("meta"):
            network = GlobalGenerator(6)
        kinds = [type(layer).__name__ for layer in network.layers]
        block = ["Conv2d", "InstanceNorm", "ReLU"]
        up = ["ConvTranspose2d", "InstanceNorm", "ReLU"]
        assert kinds == ["ReflectionPad2d", *block * 5, *["ResidualBlock"] * 9, *up * 4, "ReflectionPad2d", "Conv2d"]
        assert not any(layer.affine for layer in network.modules() if isinstance(layer, InstanceNorm))

    def test_output_is_a_picture(self):
        output = small_generator()(torch.randn(2, 6, 16, 24))
        assert output.shape == (2, 3, 16, 24)
        assert output.abs().max() <= 1

    def test_output_is_float32_under_mixed_precision(self):
        with torch.autocast("cpu", torch.bfloat16):
            assert small_generator()(torch.randn(1, 6, 16, 16)).dtype == torch.float32

    @pytest.mark.parametrize(
        ("shape", "message"),
        [
            pytest.param((1, 6, 16, 18), "multiples of 4", id="a side that is no multiple"),
            pytest.param((1, 6, 4, 16), "at least 8", id="too small for reflection at the bottom"),
            pytest.param((1, 3, 16, 16), "expected 6 channels", id="the previous frame is missing"),
        ],
    )
    def test_refuses_what_it_cannot_take(self, shape: tuple[int, ...], message: str):
        with pytest.raises(ValueError, match=message):
            small_generator()(torch.zeros(shape))

    def test_every_parameter_gets_a_gradient(self):
        network = small_generator()
        network(torch.randn(1, 6, 16, 16)).square().sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name

    def test_shifts_with_its_input(self):
        """Away from the edges the network is a convolution: a shift by its stride shifts the output."""
        network = GlobalGenerator(3, width=4, downsamplings=1, blocks=1).double()
        for layer in network.modules():
            if isinstance(layer, InstanceNorm):
                layer.forward = lambda x: x  # type: ignore[method-assign]  # statistics depend on the whole picture
        picture = torch.randn(1, 3, 64, 64, dtype=torch.float64)
        shifted = network(picture.roll(2, -1))
        torch.testing.assert_close(shifted[..., 24:40, 24:40], network(picture)[..., 24:40, 22:38])


class TestMultiscaleDiscriminator:
    def test_layers_and_scales(self):
        with torch.device("meta"):
            outputs = MultiscaleDiscriminator(12)(torch.zeros(1, 12, 256, 512))
        assert [len(layers) for layers in outputs] == [5, 5, 5]
        # kernel 4, padding 2: a strided layer gives h // 2 + 1, the others h + 1
        assert [tuple(layer.shape[1:]) for layer in outputs[0]] == [
            (64, 129, 257),
            (128, 65, 129),
            (256, 33, 65),
            (512, 34, 66),
            (1, 35, 67),
        ]
        assert [layers[0].shape[2] for layers in outputs] == [129, 65, 33]

    def test_has_the_published_number_of_parameters(self):
        # weights and biases of 12-64-128-256-512-1 with 4x4 kernels, by hand
        channels = [12, 64, 128, 256, 512, 1]
        one = sum(16 * channels[i] * channels[i + 1] + channels[i + 1] for i in range(5))
        with torch.device("meta"):
            assert parameters(MultiscaleDiscriminator(12)) == 3 * one

    def test_a_patch_is_70_pixels(self):
        network = MultiscaleDiscriminator(1, width=4, scales=1).double()
        for layer in network.modules():
            if isinstance(layer, InstanceNorm):
                layer.forward = lambda x: x  # type: ignore[method-assign]  # it sees the whole picture
        picture = torch.randn(1, 1, 160, 160, dtype=torch.float64, requires_grad=True)
        logits = network(picture)[0][-1]
        logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
        assert picture.grad is not None
        rows = picture.grad[0, 0].abs().sum(1).nonzero()
        assert rows.max() - rows.min() + 1 == 70

    def test_coarse_scales_do_not_darken_at_the_edges(self):
        seen: list[Tensor] = []
        network = MultiscaleDiscriminator(1, width=4, scales=3)
        network.scales[2].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
        network(torch.ones(1, 1, 33, 47))
        torch.testing.assert_close(seen[0], torch.ones(1, 1, 9, 12))

    def test_slim_one_runs_and_learns(self):
        network = MultiscaleDiscriminator(12, width=8, layers=2, scales=2)
        initialize(network, torch.Generator().manual_seed(0))
        outputs = network(torch.randn(2, 12, 32, 40))
        assert [len(layers) for layers in outputs] == [4, 4]
        sum(layers[-1].square().mean() for layers in outputs).backward()
        assert all(parameter.grad is not None for parameter in network.parameters())

    def test_refuses_other_channels(self):
        with pytest.raises(ValueError, match="expected 12 channels"):
            MultiscaleDiscriminator(12, width=4)(torch.zeros(1, 6, 32, 32))


class TestInitialize:
    def test_distribution(self):
        network = nn.Sequential(nn.Conv2d(64, 64, 3), nn.ConvTranspose2d(64, 64, 3), nn.InstanceNorm2d(64))
        initialize(network, torch.Generator().manual_seed(0))
        for layer in network[:2]:
            assert layer.weight.mean().item() == pytest.approx(0, abs=5e-4)
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)
            assert not layer.bias.any()

    def test_repeats_with_the_generator(self):
        first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        initialize(first, torch.Generator().manual_seed(7))
        initialize(second, torch.Generator().manual_seed(7))
        assert torch.equal(first.weight, second.weight)


def random_vgg(seed: int = 0) -> dict[str, Tensor]:
    """Weights of the right shapes under torchvision's names, with activations that neither die nor explode."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in VGG19Features().state_dict().items():
        spread = 0.1 if value.ndim == 1 else (2 / value[0].numel()) ** 0.5
        state[name] = spread * torch.randn(value.shape, generator=generator)
    return state


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "weights.safetensors"
    safetensors.torch.save_file(random_vgg(), path)
    return path


class TestVGG19Features:
    def test_layers(self, weights: Path):
        features = load_vgg19(weights)(torch.zeros(1, 3, 32, 48))
        assert [tuple(feature.shape[1:]) for feature in features] == [
            (64, 32, 48),
            (128, 16, 24),
            (256, 8, 12),
            (512, 4, 6),
            (512, 2, 3),
        ]
        assert all((feature >= 0).all() for feature in features)

    def test_depth_stops_early_and_changes_nothing_else(self, weights: Path):
        picture = torch.rand(1, 3, 32, 32) * 2 - 1
        whole, part = load_vgg19(weights)(picture), load_vgg19(weights, depth=3)(picture)
        assert len(part) == 3
        for one, other in zip(part, whole, strict=False):
            torch.testing.assert_close(one, other)

    def test_first_layer_by_hand(self, weights: Path):
        """torchvision's normalization of [0, 1], convolution, ReLU: once more, from scratch."""
        network = load_vgg19(weights, depth=1)
        picture = torch.rand(1, 3, 8, 8)
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        normalized = (picture - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
        state = random_vgg()
        expected = nn.functional.conv2d(normalized, state["features.0.weight"], state["features.0.bias"], padding=1)
        [output] = network(picture * 2 - 1)
        torch.testing.assert_close(output, expected.relu() * network.scales[0], atol=1e-4, rtol=1e-4)

    def test_is_frozen_but_lets_gradients_through(self, weights: Path):
        network = load_vgg19(weights, depth=2)
        picture = torch.rand(1, 3, 16, 16, requires_grad=True)
        network(picture)[-1].sum().backward()
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert picture.grad is not None
        assert picture.grad.abs().sum() > 0

    def test_rescaled_weights_give_the_same_features(self, weights: Path, tmp_path: Path):
        """A file whose activations are scaled layer by layer (as in data-free normalization) is the same network."""
        state, factor = random_vgg(), 1.0
        for index, name in enumerate([name for name in state if name.endswith("weight")]):
            step = 2.0 if index % 2 else 0.3
            factor *= step
            state[name] = state[name] * step
            state[name.replace("weight", "bias")] = state[name.replace("weight", "bias")] * factor
        safetensors.torch.save_file(state, tmp_path / "rescaled.safetensors")
        picture = torch.rand(1, 3, 32, 32) * 2 - 1
        pairs = zip(load_vgg19(weights)(picture), load_vgg19(tmp_path / "rescaled.safetensors")(picture), strict=True)
        for one, other in pairs:
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)

    def test_calibration_pictures_never_change(self):
        pictures = vgg.calibration_images()
        assert torch.equal(pictures, vgg.calibration_images())
        assert pictures.abs().max() <= 1
        assert pictures.mean().item() == pytest.approx(-0.007, abs=1e-3)
        assert pictures.std().item() == pytest.approx(0.477, abs=1e-3)

    def test_real_weights_respond_about_one_to_footage(self, footage: Path):
        weights = footage.parent / "weights" / "vgg19_features_conv1_1-conv5_1.safetensors"
        if not weights.is_file():
            pytest.skip("no real weights here")
        scales = load_vgg19(weights).scales
        # this file is scaled to a mean of 1 on real footage already
        torch.testing.assert_close(scales, torch.ones(5), atol=0.01, rtol=0)

    @pytest.mark.parametrize("depth", [0, 6])
    def test_depth_is_one_to_five(self, depth: int):
        with pytest.raises(ValueError, match="depth"):
            VGG19Features(depth)


class TestVGG19Files:
    @pytest.fixture(autouse=True)
    def own_hub(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def test_reads_torchvisions_own_file(self, tmp_path: Path):
        state = random_vgg()
        whole = {**state, "classifier.0.weight": torch.zeros(2, 2), "features.34.bias": torch.zeros(512)}
        torch.save(whole, tmp_path / "vgg19-dcbb9e9d.pth")
        network = load_vgg19(tmp_path / "vgg19-dcbb9e9d.pth")
        assert torch.equal(network.state_dict()["features.28.weight"], state["features.28.weight"])

    def test_reads_half_precision_and_names_without_prefix(self, tmp_path: Path):
        state = {name.removeprefix("features."): value.half() for name, value in random_vgg().items()}
        safetensors.torch.save_file(state, tmp_path / "half.safetensors")
        network = load_vgg19(tmp_path / "half.safetensors")
        assert network.features[0].weight.dtype == torch.float32

    def test_a_shallow_file_serves_a_shallow_depth(self, tmp_path: Path):
        shallow = {name: value for name, value in random_vgg().items() if int(name.split(".")[1]) <= 10}
        safetensors.torch.save_file(shallow, tmp_path / "shallow.safetensors")
        assert len(load_vgg19(tmp_path / "shallow.safetensors", depth=3)(torch.zeros(1, 3, 16, 16))) == 3
        with pytest.raises(DanceError, match=r"features\.12\.weight and \d+ more"):
            load_vgg19(tmp_path / "shallow.safetensors")

    def test_wrong_files_are_named(self, tmp_path: Path):
        other = tmp_path / "other.safetensors"
        safetensors.torch.save_file({"conv.weight": torch.zeros(1)}, other)
        wrong_shape = tmp_path / "vgg11.safetensors"
        safetensors.torch.save_file({**random_vgg(), "features.2.weight": torch.zeros(128, 64, 3, 3)}, wrong_shape)
        dead = tmp_path / "dead.safetensors"
        safetensors.torch.save_file({name: -value.abs() for name, value in random_vgg().items()}, dead)
        text = tmp_path / "text.safetensors"
        text.write_text("not weights")
        code = tmp_path / "code.pth"
        torch.save(nn.Conv2d(3, 3, 3), code)  # a pickled object, not a plain state: must not be executed
        for path, message in [
            (other, r"it has no features\.0\.weight and 25 more"),
            (wrong_shape, r"features\.2\.weight is \(128, 64, 3, 3\) instead of \(64, 64, 3, 3\)"),
            (dead, "never responds"),
            (text, "cannot be read"),
            (code, "cannot be read"),
        ]:
            with pytest.raises(DanceError, match=message) as caught:
                load_vgg19(path)
            assert caught.value.code == "bad-vgg-weights"
        with pytest.raises(DanceError) as caught:
            load_vgg19(tmp_path / "nowhere.safetensors")
        assert caught.value.code == "file-not-found"

    def test_search_order(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        cache = tmp_path / "cache"
        monkeypatch.setenv("EVERYBODY_DANCE_CACHE", str(cache))
        assert find_vgg19_weights() is None
        hub = tmp_path / "torch" / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
        hub.parent.mkdir(parents=True)
        hub.touch()
        assert find_vgg19_weights() == hub
        cache.mkdir()
        (cache / "vgg19-features.safetensors").touch()
        assert find_vgg19_weights() == cache / "vgg19-features.safetensors"
        (tmp_path / "mine.safetensors").touch()
        assert find_vgg19_weights(tmp_path / "mine.safetensors") == tmp_path / "mine.safetensors"
        with pytest.raises(DanceError, match=r"nowhere\.safetensors"):
            find_vgg19_weights(tmp_path / "nowhere.safetensors")

    def test_download_keeps_what_is_used_and_checks_the_hash(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        cache = tmp_path / "cache"
        monkeypatch.setenv("EVERYBODY_DANCE_CACHE", str(cache))
        server = tmp_path / "server"
        server.mkdir()
        state = random_vgg()
        torch.save({**state, "classifier.0.weight": torch.zeros(2, 2)}, server / "file.pth")
        digest = hashlib.sha256((server / "file.pth").read_bytes()).hexdigest()[:8]
        good = (server / "file.pth").rename(server / f"vgg19-{digest}.pth")
        reported: list[tuple[int, int | None]] = []
        path = download_vgg19(good.as_uri(), on_progress=lambda done, total: reported.append((done, total)))
        assert find_vgg19_weights() == path
        assert safetensors.torch.load_file(path).keys() == state.keys()
        assert reported[-1] == (good.stat().st_size, good.stat().st_size)
        load_vgg19(path)

        path.unlink()
        bad = good.rename(server / "vgg19-00000000.pth")
        with pytest.raises(DanceError) as caught:
            download_vgg19(bad.as_uri())
        assert caught.value.code == "download-damaged"
        with pytest.raises(DanceError, match="--vgg-weights") as caught:
            download_vgg19((server / "vgg19-11111111.pth").as_uri())
        assert caught.value.code == "download-failed"
        assert list(cache.iterdir()) == []


class TestInstanceNorm:
    @pytest.mark.parametrize("batch", [1, 2])
    @pytest.mark.parametrize("input_last", [False, True])
    @pytest.mark.parametrize("gradient_last", [False, True])
    def test_right_in_every_layout(self, batch: int, input_last: bool, gradient_last: bool):
        formats = {False: torch.contiguous_format, True: torch.channels_last}
        torch.manual_seed(0)
        x, gradient = torch.randn(2, batch, 6, 8, 8, dtype=torch.float64)
        x = x.contiguous(memory_format=formats[input_last]).requires_grad_()
        InstanceNorm(6)(x).backward(gradient.contiguous(memory_format=formats[gradient_last]))
        y = x.detach().clone().requires_grad_()
        deviation = (y.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
        ((y - y.mean((2, 3), keepdim=True)) / deviation).backward(gradient)
        assert torch.allclose(x.grad, y.grad, atol=1e-10)

    def test_layouts_do_not_change_what_a_generator_learns(self):
        torch.manual_seed(0)
        x = torch.randn(1, 6, 32, 32, dtype=torch.float64)
        gradients = []
        for layout in (torch.contiguous_format, torch.channels_last):
            torch.manual_seed(1)
            generator = GlobalGenerator(6, width=8, downsamplings=2, blocks=1).double().to(memory_format=layout)
            generator.layers(x.contiguous(memory_format=layout)).square().sum().backward()
            gradients.append([parameter.grad for parameter in generator.parameters()])
        for one, other in zip(*gradients, strict=True):
            assert torch.allclose(one, other, atol=1e-9 * float(one.abs().max()) + 1e-9)
