"""The bundle's model card: that of the store, and what was measured of its verdicts."""

from __future__ import annotations

from contextlib import suppress

from ensemble.predict.bundle.manifest import Manifest, Rate
from ensemble.predict.info import share_with_interval
from ensemble.report.write import MODEL_CARD
from ensemble.store.oof import OofStore

_HEAD = (
    "| photographs | real | fake | real with strong evidence | with some or strong | fakes with strong evidence "
    "| with some or strong | real, cannot say | fake, cannot say | limits hold |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def card_of(store: OofStore, manifest: Manifest, *, is_the_blend: bool) -> str:
    """Return the card as Markdown; that of the store is part of it if it is about the blend that was bundled."""
    if is_the_blend:
        with suppress(OSError, UnicodeDecodeError):
            of_store = (store.root / MODEL_CARD).read_text(encoding="utf-8").rstrip()
            if manifest.store["submission_sha256"] in of_store:  # else an interrupted blend has left an older card
                return f"{of_store}\n\n{verdicts_section(manifest)}\n"
    members, scores = ", ".join(member.name for member in manifest.members), manifest.scores
    chosen = (
        " The members were chosen among others by their out-of-fold log loss on the same rows, within a limit of time, "
        "so that the accuracy is a little optimistic."
    )
    head = f"Members: {members}. Nested accuracy {scores.accuracy:.4f} ± {scores.standard_error:.4f} on {scores.n:,} "
    return f"# {manifest.name}\n\n{head}photographs.{'' if is_the_blend else chosen}\n\n{verdicts_section(manifest)}\n"


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
            "are counted by limits that were set on other folds, for models of single folds (one of each cut of the "
            "folds), while the mean of all answers here; 95 % intervals. No evidence does not mean real.",
            "",
            _HEAD,
            *(_row(rate) for rate in verdicts.rates),
            "",
            f"The models see photographs of {width} x {height} pixels. Those of other sizes are searched for a face, "
            f"which is {faces}, and resampled by a bicubic filter. Nothing is said of photographs without a face or "
            f"with several, of JPEGs below quality {manifest.scope.lowest_quality}, of faces that had to be enlarged "
            f"by more than {manifest.scope.largest_scale} or are rotated by more than "
            f"{manifest.scope.largest_angle:.0f} degrees, {_doubt(manifest)}and of files that cannot be read.",
            "",
            f"Probabilities assume that {manifest.prior:.0%} of the photographs are generated, as in training.",
        ]
    )


def _doubt(manifest: Manifest) -> str:
    if manifest.doubt is None:
        return ""
    share = manifest.doubt.held_out_share
    return f"of pictures further from the training photographs than {1 - share:.1%} of the held-out ones, "


def _row(rate: Rate) -> str:
    cells = [
        share_with_interval(rate.strong_false, rate.real),
        share_with_interval(rate.some_false, rate.real),
        share_with_interval(rate.strong_found, rate.fake),
        share_with_interval(rate.some_found, rate.fake),
        share_with_interval(rate.undecided_real, rate.real),
        share_with_interval(rate.undecided_fake, rate.fake),
    ]
    return f"| {rate.title} | {rate.real} | {rate.fake} | {' | '.join(cells)} | {'yes' if rate.guaranteed else 'no'} |"
