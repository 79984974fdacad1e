"""The bundle's model card: that of the store, and what was measured of its verdicts."""

from __future__ import annotations

from ensemble.core.metrics.intervals import wilson_interval
from ensemble.predict.bundle.manifest import Manifest, Rate
from ensemble.report.write import MODEL_CARD
from ensemble.store.oof import OofStore

_HEAD = (
    "| photographs | real | fake | real with strong evidence | with some or strong | fakes with strong evidence "
    "| with some or strong | real, cannot say | fake, cannot say | limits hold |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def card_of(store: OofStore, manifest: Manifest) -> str:
    """Return the card as Markdown."""
    try:
        of_store = (store.root / MODEL_CARD).read_text(encoding="utf-8").rstrip()
    except OSError:
        of_store = f"# {manifest.name}"
    return f"{of_store}\n\n{verdicts_section(manifest)}\n"


def verdicts_section(manifest: Manifest) -> str:
    """Return what the verdicts were measured to do."""
    verdicts = manifest.verdicts
    height, width = manifest.size
    faces = "aligned as the training faces are" if manifest.template else "refused"
    return "\n".join(
        [
            "## Verdicts about single photographs",
            "",
            f"Strong evidence of generation is a blended logit of {verdicts.strong:.2f} or more, some evidence "
            f"{verdicts.some:.2f} or more: the limits that at most {verdicts.strong_rate:.1%} and "
            f"{verdicts.some_rate:.0%} of the held-out real photographs reach, in every row that says so. Rates below "
            "are counted by limits that were set on other folds; 95 % intervals. No evidence does not mean real.",
            "",
            _HEAD,
            *(_row(rate) for rate in verdicts.rates),
            "",
            f"The models see photographs of {width} x {height} pixels. Those of other sizes are searched for a face, "
            f"which is {faces}, and resampled by a bicubic filter. Nothing is said of photographs without a face or "
            f"with several, of JPEGs below quality {manifest.limits.lowest_quality}, of faces that had to be enlarged "
            f"by more than {manifest.limits.largest_scale} or are rotated by more than "
            f"{manifest.limits.largest_angle:.0f} degrees, {_doubt(manifest)}and of files that cannot be read.",
            "",
            f"Probabilities assume that {manifest.prior:.0%} of the photographs are generated, as in training.",
        ]
    )


def _doubt(manifest: Manifest) -> str:
    if manifest.doubt is None:
        return ""
    share = manifest.doubt.held_out_share
    return f"of pictures further from the training photographs than {share:.1%} of the held-out ones, "


def _row(rate: Rate) -> str:
    cells = [
        _share(rate.strong_false, rate.real),
        _share(rate.some_false, rate.real),
        _share(rate.strong_found, rate.fake),
        _share(rate.some_found, rate.fake),
        _share(rate.unsaid_real, rate.real),
        _share(rate.unsaid_fake, rate.fake),
    ]
    return f"| {rate.title} | {rate.real} | {rate.fake} | {' | '.join(cells)} | {'yes' if rate.held else 'no'} |"


def _share(count: int, of: int) -> str:
    if not of:
        return "-"
    low, high = wilson_interval(count, of)
    return f"{count / of:.1%} ({low:.1%} to {high:.1%})"
