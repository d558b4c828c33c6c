"""Presets: what is trained and how, as a table a person can read."""

from dataclasses import dataclass, field

from everybody_dance.performer.painter import Architecture


@dataclass(frozen=True)
class Preset:
    """One way to train a performer.

    Attributes:
        architecture, arguments: the generator and its own arguments.
        frame_area: pixels of the frame it works on; None: the prepared size. Larger subjects are scaled down to it.
        person_window: paint a window around the person over the clean plate instead of the whole frame.
        previous_frame: give the generator its own previous frame (the paper's temporal smoothing).
        through_both_frames: generate both frames of the pair with gradients, the first from nothing (the paper);
            otherwise the previous frame comes from up to ``unroll`` steps without gradients.
        drop_previous: share of samples in which the rollout begins from nothing.
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
    frame_area: int | None = None
    person_window: bool = True
    previous_frame: bool = True
    through_both_frames: bool = False
    unroll: int = 2
    drop_previous: float = 0.25
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


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(name="fast", architecture="fast", arguments={"width": 24, "shrink": 2, "levels": 4}),
        # The global stage of the paper: pix2pixHD at 512 x 256, whole frames, batch 1.
        Preset(
            name="paper-512",
            architecture="pix2pixhd",
            arguments={"width": 64, "downsamplings": 4, "blocks": 9},
            frame_area=512 * 256,
            person_window=False,
            through_both_frames=True,
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
        ),
        # For tests: seconds, not looks.
        Preset(
            name="debug",
            architecture="fast",
            arguments={"width": 8, "shrink": 1, "levels": 4},
            learning_rate=1e-3,
            discriminator_width=8,
            discriminator_scales=1,
            patch=64,
            ema_steps=5,
            adversarial_from=0.3,
        ),
    )
}
