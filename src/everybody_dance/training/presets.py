"""Presets: what is trained and how, as a table that can be compared at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from everybody_dance.skeleton import Part

Betas = tuple[float, float]


@dataclass(frozen=True)
class Variety:
    """What is changed about a sample, so that more is learnt than was filmed.

    Attributes:
        mirrored: share of samples shown in a mirror.
        longest_gap: frames between two frames of a sample, at most; a video may be slower or faster than the footage.
            0 stands for a pose that is held.
        missing: share of samples in which a face, a hand or a joint of the body is missing, as detectors miss them.
        elsewhere: share of samples for which the generator is shown the plate of another place. It would read from the
            plate's light where in the frame it paints, and paint no head where the footage had none.
    """

    mirrored: float = 0.0
    longest_gap: int = 1
    missing: float = 0.0
    elsewhere: float = 0.0


AS_FILMED = Variety()
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

    arguments: Mapping[str, int]
    share: float
    learning_rate: float
    betas: Betas
    ema_steps: int
    references: int
    discriminator_width: int
    discriminator_rate: float
    reconstruction: float
    pyramid: float
    perceptual: float
    feature_matching: float
    adversarial: float


@dataclass(frozen=True)
class Preset:
    """One way to train a performer.

    Attributes:
        architecture, arguments: the generator and its own arguments.
        share: of the training, relative to the shares of its other stages.
        epochs: how often every frame is seen in a unit of ``share``, unless told otherwise; None: minutes are counted.
        starts_from: preset whose generator is trained first, and whose weights it starts from.
        refiner: how face and hands are refined.
        frame_area: pixels of the frame it works on; None: the prepared size. Larger subjects are scaled down to it.
        person_window: paint a window around the person over the clean plate instead of the whole frame.
        previous_frame: give the generator its own previous frame (the paper's temporal smoothing).
        through_both_frames: generate both frames of the pair with gradients, the first from nothing (the paper);
            otherwise the previous frame comes from up to ``unroll`` steps without gradients.
        drop_previous: share of samples in which the rollout begins from nothing.
        variety: what is changed about samples, so that more is learnt than was filmed.
        warm_start: begin with weights that were trained on rendered dancers (``warm_start.py``), where the generator is
            shown a puppet.
        puppet: pictures of each limb that are kept, with which the generator is shown a puppet; 0: none.
        crop: side of the square around the person that a sample shows; 0: everything.
        batch, learning_rate, betas, decay_to: Adam's; the rate falls to ``decay_to`` of itself.
        discriminator_rate: the discriminator's learning rate, on the same schedule, with betas (0.5, 0.999).
        ema_steps: the shipped weights average over about this many last steps; 0: the weights as trained.
        discriminator_width, discriminator_scales, patch: the discriminator sees a square crop of side ``patch``
            around the person (0: everything), of ``judged`` samples of the batch.
        adversarial_from: share of the training before the discriminator takes part.
        reconstruction, pyramid, perceptual, feature_matching, adversarial: weights of the losses; how much of
            the pyramid is compared beside the perceptual network is ``Perceptual.pyramid``.
    """

    name: str
    architecture: Literal["fast", "pix2pixhd", "pix2pixhd-local"]
    arguments: Mapping[str, int]
    share: float
    epochs: int | None
    starts_from: str | None
    refiner: RefinerPreset
    frame_area: int | None
    person_window: bool
    previous_frame: bool
    through_both_frames: bool
    unroll: int
    drop_previous: float
    variety: Variety
    warm_start: bool
    puppet: int
    crop: int
    batch: int
    learning_rate: float
    betas: Betas
    decay_to: float
    discriminator_rate: float
    ema_steps: int
    discriminator_width: int
    discriminator_scales: int
    patch: int
    judged: int
    adversarial_from: float
    reconstruction: float
    pyramid: float
    perceptual: float
    feature_matching: float
    adversarial: float


# fmt: off
_REFINERS: dict[str, tuple[Any, ...]] = {
    #                       fast                paper             debug
    "arguments":           ({"width": 24, "downsamplings": 2, "blocks": 3, "references": 1},
                                                {"width": 64, "downsamplings": 3, "blocks": 5},
                                                                  {"width": 4, "downsamplings": 2, "blocks": 1,
                                                                   "references": 1}),
    "share":               (15,                 5,                15),
    "learning_rate":       (5e-4,               2e-4,             5e-4),
    "betas":               ((0.9, 0.99),        (0.5, 0.999),     (0.9, 0.99)),
    "ema_steps":           (100,                0,                100),
    "references":          (64,                 0,                8),
    "discriminator_width": (24,                 64,               8),
    "discriminator_rate":  (2e-4,               2e-4,             2e-4),
    "reconstruction":      (10.0,               0.0,              10.0),
    "pyramid":             (5.0,                10.0,             10.0),
    "perceptual":          (3.0,                10.0,             1.0),
    "feature_matching":    (2.0,                0.0,              2.0),
    "adversarial":         (0.2,                1.0,              0.2),
}
_FAST, _PAPER, _DEBUG = (
    RefinerPreset(**{name: values[column] for name, values in _REFINERS.items()}) for column in range(3)
)

# fast: minutes on a CPU. paper-512: the paper's global stage, pix2pixHD at 512 x 256, whole frames, batch 1.
# paper-1024: coarse to fine, the global stage and then the local enhancer around it. debug: seconds, for tests.
_PRESETS: dict[str, tuple[Any, ...]] = {
    "name":                 ("fast",            "paper-512",      "paper-1024",        "debug"),
    "architecture":         ("fast",            "pix2pixhd",      "pix2pixhd-local",   "fast"),
    "arguments":            ({"width": 24, "shrink": 2, "levels": 4},
                                                {"width": 64, "downsamplings": 4, "blocks": 9},
                                                                  {"width": 32, "blocks": 3},
                                                                                       {"width": 8, "shrink": 1,
                                                                                        "levels": 4}),
    "share":                (85,                5,                30,                  85),
    "epochs":               (None,              1,                1,                   None),
    "starts_from":          (None,              None,             "paper-512",         None),
    "refiner":              (_FAST,             _PAPER,           _PAPER,              _DEBUG),
    "frame_area":           (None,              512 * 256,        1024 * 512,          None),
    "person_window":        (True,              False,            False,               True),
    "previous_frame":       (True,              True,             True,                True),
    "through_both_frames":  (False,             True,             True,                False),
    "unroll":               (2,                 2,                2,                   2),
    "drop_previous":        (0.25,              0.25,             0.25,                0.25),
    "variety":              (VARIED,            AS_FILMED,        AS_FILMED,           VARIED),
    "warm_start":           (True,              False,            False,               False),
    "puppet":               (48,                0,                0,                   8),
    "crop":                 (192,               0,                0,                   192),
    "batch":                (4,                 1,                1,                   4),
    "learning_rate":        (1e-3,              2e-4,             2e-4,                1e-3),
    "betas":                ((0.9, 0.99),       (0.5, 0.999),     (0.5, 0.999),        (0.9, 0.99)),
    "decay_to":             (0.02,              0.02,             0.02,                0.02),
    "discriminator_rate":   (2e-4,              2e-4,             2e-4,                2e-4),
    "ema_steps":            (100,               0,                0,                   5),
    "discriminator_width":  (24,                64,               64,                  8),
    "discriminator_scales": (2,                 3,                3,                   1),
    "patch":                (160,               0,                0,                   64),
    "judged":               (2,                 2,                2,                   2),
    "adversarial_from":     (0.4,               0.0,              0.0,                 0.3),
    "reconstruction":       (10.0,              0.0,              0.0,                 10.0),
    "pyramid":              (5.0,               10.0,             10.0,                10.0),
    "perceptual":           (3.0,               5.0,              10.0,                1.0),
    "feature_matching":     (2.0,               10.0,             10.0,                2.0),
    "adversarial":          (0.2,               1.0,              1.0,                 0.2),
}
# fmt: on

PRESETS: dict[str, Preset] = {
    name: Preset(**{field.name: _PRESETS[field.name][column] for field in fields(Preset)})
    for column, name in enumerate(_PRESETS["name"])
}


def smaller(preset: Preset) -> Preset | None:
    """``preset`` with half of the batch, for a GPU whose memory did not suffice; None where there is no half."""
    return replace(preset, batch=preset.batch // 2) if preset.batch > 1 else None


def frame_by_frame(preset: Preset) -> Preset:
    """``preset`` without temporal smoothing: neither generator nor discriminator sees the frame before."""
    return replace(preset, previous_frame=False, through_both_frames=False)


@dataclass(frozen=True)
class Stage:
    """One training stage.

    Attributes:
        name: ``global``, ``main``, or the part that is refined.
        makes: ``start``, a generator whose weights the next stage begins with; ``performer``; or ``refiner``.
        preset: how it is trained.
        share: of the training; the shares of all stages add up to 1.
        epochs: how often every frame is seen, unless told otherwise.
        part: what is refined; None for a generator of whole pictures.
    """

    name: str
    makes: Literal["start", "performer", "refiner"]
    preset: Preset
    share: float
    epochs: float
    part: Part | None = None


def stages(preset: Preset, refined: Sequence[Part]) -> list[Stage]:
    """The stages of ``preset``, in order."""
    found = [Stage("main", "performer", preset, preset.share, 0)]
    if preset.starts_from is not None:
        first = PRESETS[preset.starts_from]
        first = first if preset.previous_frame else frame_by_frame(first)
        found.insert(0, Stage("global", "start", first, first.share, 0))
    found += [Stage(part, "refiner", preset, preset.refiner.share, 0, part) for part in refined]
    whole = sum(stage.share for stage in found)
    epochs = preset.epochs or 1
    return [replace(stage, share=stage.share / whole, epochs=epochs * stage.share) for stage in found]
