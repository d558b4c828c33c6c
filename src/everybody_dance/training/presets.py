"""Presets: what is trained and how, as a table a person can read."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from everybody_dance.drawing.crops import Part
from everybody_dance.networks.generators import Architecture
from everybody_dance.training.samples import AS_FILMED, Variety

VARIED = Variety(mirrored=0.3, longest_gap=3, missing=0.15, elsewhere=0.7)


@dataclass(frozen=True)
class RefinerPreset:
    """How the face GAN, and the same for hands, is trained, after the main generator and with it frozen.

    Attributes:
        arguments: the refiner's own.
        share: of the training, measured as the preset's own ``share``.
        learning_rate, betas, ema_steps: as the preset's.
        references: true crops that are kept, the nearest of which the refiner is shown; 0: none, as in the paper.
        discriminator_width, discriminator_rate: of the patch discriminator, which sees the pose image and the crop,
            and its learning rate.
        reconstruction, pyramid, perceptual, feature_matching, adversarial: weights of the losses.
    """

    arguments: dict[str, int] = field(default_factory=lambda: {"width": 64, "downsamplings": 3, "blocks": 5})
    share: float = 5
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    ema_steps: int = 0
    references: int = 0
    discriminator_width: int = 64
    discriminator_rate: float = 2e-4
    reconstruction: float = 0.0
    pyramid: float = 10.0
    perceptual: float = 10.0
    feature_matching: float = 0.0
    adversarial: float = 1.0


PAPERS_REFINER = RefinerPreset()
SLIM_REFINER = RefinerPreset(
    arguments={"width": 24, "downsamplings": 2, "blocks": 3, "references": 1},
    share=15,
    learning_rate=5e-4,
    betas=(0.9, 0.99),
    ema_steps=100,
    references=64,
    discriminator_width=24,
    reconstruction=10.0,
    perceptual=1.0,
    feature_matching=2.0,
    adversarial=0.2,
)


@dataclass(frozen=True)
class Preset:
    """One way to train a performer.

    Attributes:
        architecture, arguments: the generator and its own arguments.
        share: of the training, relative to the shares of its other stages.
        epochs: whether the shares are numbers of epochs, which are trained unless told otherwise.
        starts_from: preset whose generator is trained first, and whose weights it starts from.
        refiner: how face and hands are refined.
        frame_area: pixels of the frame it works on; None: the prepared size. Larger subjects are scaled down to it.
        person_window: paint a window around the person over the clean plate instead of the whole frame.
        previous_frame: give the generator its own previous frame (the paper's temporal smoothing).
        through_both_frames: generate both frames of the pair with gradients, the first from nothing (the paper);
            otherwise the previous frame comes from up to ``unroll`` steps without gradients.
        drop_previous: share of samples in which the rollout begins from nothing.
        variety: what is changed about samples, so that more is learnt than was filmed.
        puppet: pictures of each limb that are kept, with which the generator is shown a puppet; 0: none.
        crop: side of the square around the person that a sample shows; 0: everything.
        batch, learning_rate, betas, decay_to: Adam's; the rate falls to ``decay_to`` of itself.
        discriminator_rate: the discriminator's learning rate, on the same schedule, with betas (0.5, 0.999).
        ema_steps: the shipped weights average over about this many last steps; 0: the weights as trained.
        discriminator_width, discriminator_scales, patch: the discriminator sees a square crop of side ``patch``
            around the person (0: everything), of ``judged`` samples of the batch.
        adversarial_from: share of the training before the discriminator takes part.
        reconstruction, pyramid, perceptual, feature_matching, adversarial: weights of the losses; ``pyramid`` also
            stands in for ``perceptual`` where VGG-19 weights are not at hand.
    """

    name: str
    architecture: Architecture
    arguments: dict[str, int] = field(default_factory=dict)
    share: float = 85
    epochs: bool = False
    starts_from: str | None = None
    refiner: RefinerPreset = SLIM_REFINER
    frame_area: int | None = None
    person_window: bool = True
    previous_frame: bool = True
    through_both_frames: bool = False
    unroll: int = 2
    drop_previous: float = 0.25
    variety: Variety = VARIED
    puppet: int = 48
    crop: int = 192
    batch: int = 4
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    decay_to: float = 0.02
    discriminator_rate: float = 2e-4
    ema_steps: int = 100
    discriminator_width: int = 24
    discriminator_scales: int = 2
    patch: int = 160
    judged: int = 2
    adversarial_from: float = 0.4
    reconstruction: float = 10.0
    pyramid: float = 10.0
    perceptual: float = 1.0
    feature_matching: float = 2.0
    adversarial: float = 0.2


_PAPER_512 = Preset(
    name="paper-512",
    architecture="pix2pixhd",
    arguments={"width": 64, "downsamplings": 4, "blocks": 9},
    share=5,
    epochs=True,
    refiner=PAPERS_REFINER,
    frame_area=512 * 256,
    person_window=False,
    through_both_frames=True,
    variety=AS_FILMED,
    puppet=0,
    crop=0,
    batch=1,
    learning_rate=2e-4,
    betas=(0.5, 0.999),
    ema_steps=0,
    discriminator_width=64,
    discriminator_scales=3,
    patch=0,
    adversarial_from=0.0,
    reconstruction=0.0,
    pyramid=10.0,
    perceptual=5.0,
    feature_matching=10.0,
    adversarial=1.0,
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(name="fast", architecture="fast", arguments={"width": 24, "shrink": 2, "levels": 4}),
        # The global stage of the paper: pix2pixHD at 512 x 256, whole frames, batch 1.
        _PAPER_512,
        # Coarse to fine: the global stage, then the local enhancer around it at 1024 x 512.
        replace(
            _PAPER_512,
            name="paper-1024",
            architecture="pix2pixhd-local",
            arguments={"width": 32, "blocks": 3},
            share=30,
            starts_from="paper-512",
            frame_area=1024 * 512,
            perceptual=10.0,
        ),
        # For tests: seconds, not looks.
        Preset(
            name="debug",
            architecture="fast",
            arguments={"width": 8, "shrink": 1, "levels": 4},
            refiner=replace(
                SLIM_REFINER,
                arguments={"width": 4, "downsamplings": 2, "blocks": 1, "references": 1},
                references=8,
                discriminator_width=8,
            ),
            puppet=8,
            learning_rate=1e-3,
            discriminator_width=8,
            discriminator_scales=1,
            patch=64,
            ema_steps=5,
            adversarial_from=0.3,
        ),
    )
}


def smaller(preset: Preset) -> Preset | None:
    """``preset`` with half of the batch, for a GPU whose memory did not suffice; None where there is no half."""
    return replace(preset, batch=preset.batch // 2) if preset.batch > 1 else None


def frame_by_frame(preset: Preset) -> Preset:
    """``preset`` without temporal smoothing: neither generator nor discriminator sees the frame before."""
    return replace(preset, previous_frame=False, through_both_frames=False)


@dataclass(frozen=True)
class Stage:
    """One generator after the other is trained.

    Attributes:
        name: ``global`` (whose weights the next begins with), ``main`` (what paints), or the part that is refined.
        preset: how.
        share: of the training.
        epochs: how often it sees every frame, unless told otherwise.
        part: what is refined; None for a generator of whole pictures.
    """

    name: str
    preset: Preset
    share: float
    epochs: float
    part: Part | None = None


def stages(preset: Preset, refined: Sequence[Part]) -> list[Stage]:
    """The stages of ``preset``, in order; their shares add up to 1."""
    found = [("main", preset, preset.share, None), *((part, preset, preset.refiner.share, part) for part in refined)]
    if preset.starts_from is not None:
        first = PRESETS[preset.starts_from]
        if not preset.previous_frame:
            first = frame_by_frame(first)
        found.insert(0, ("global", first, first.share, None))
    whole = sum(share for _, _, share, _ in found)
    return [Stage(name, how, share / whole, share, part) for name, how, share, part in found]
