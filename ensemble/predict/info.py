"""What a bundle says of itself, in a few lines."""

from __future__ import annotations

from ensemble.core.console.text import plural
from ensemble.core.metrics.intervals import wilson_interval
from ensemble.predict.bundle.manifest import Manifest, Rate


def info_lines(manifest: Manifest) -> list[str]:
    """Return lines of plain text."""
    height, width = manifest.size
    scores, verdicts = manifest.scores, manifest.verdicts
    megabytes = sum(file.bytes for file in manifest.files.values()) / 1e6
    members = ", ".join(member.name for member in manifest.members)
    models = sum(len(member.folds) for member in manifest.members)
    doubt = manifest.doubt
    return [
        f"{manifest.name}, made on {manifest.created} by version {manifest.versions.get('who-took-this-photo', '?')}",
        *(["trained on synthetic demo data: its verdicts mean nothing for other photographs"] * manifest.synthetic),
        f"members: {members} ({plural(models, 'model')} of their folds; {megabytes:.1f} MB, "
        f"{manifest.milliseconds:.0f} ms a photograph on one thread where it was made)",
        f"photographs: {width} x {height}; of other sizes the face is "
        + ("found and aligned" if manifest.template else "not looked for: they are refused"),
        f"nested accuracy {scores.accuracy:.4f} ± {scores.standard_error:.4f} on {scores.n:,} photographs",
        f"strong evidence from a logit of {verdicts.strong:.2f} on, some from {verdicts.some:.2f} on; of held-out "
        "photographs:",
        *(f"  {_line(rate)}" for rate in verdicts.rates),
        "doubt gate: none"
        if doubt is None
        else f"doubt gate: beyond {doubt.threshold:.3f}, as "
        f"{doubt.held_out_share:.1%} of the held-out photographs are, nothing is said",
    ]


def _line(rate: Rate) -> str:
    strong, some = (share_with_interval(count, rate.real) for count in (rate.strong_false, rate.some_false))
    found = share_with_interval(rate.some_found, rate.fake)
    cannot = share_with_interval(rate.undecided_real + rate.undecided_fake, rate.real + rate.fake)
    which = rate.title if rate.guaranteed else f"{rate.title} (no limit was set for it)"
    return f"{which}: real with strong evidence {strong}, with any {some}; fakes {found}; cannot say {cannot}"


def share_with_interval(count: int, of: int) -> str:
    """Return a share and its 95 % interval as text; a dash of no photographs."""
    if not of:
        return "-"
    low, high = wilson_interval(count, of)
    return f"{count / of:.1%} [{low:.1%}, {high:.1%}]"
