"""blend.json: what is needed to make submit.csv again, byte for byte, and `rebuild`, which does."""

from __future__ import annotations

import math
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.restored import restored
from ensemble.blend.compare import Blend
from ensemble.blend.evaluation.decision import Decision
from ensemble.blend.evaluation.threshold import Rule
from ensemble.blend.evaluation.worth import Worth
from ensemble.blend.guard import Guard
from ensemble.blend.inputs import Inputs, test_logits_of
from ensemble.competition.submission import DECIMALS, submission_text
from ensemble.config.experiment import BlendSettings, Experiment
from ensemble.core.arrays import Logits
from ensemble.core.console.text import first_few
from ensemble.core.errors import UserError
from ensemble.core.metrics.decisions import correct_logits
from ensemble.core.metrics.paired import Comparison, compare
from ensemble.core.metrics.scores import score, to_probabilities
from ensemble.core.storage.files import Location, write_text
from ensemble.core.storage.hashing import text_sha256
from ensemble.core.storage.json_file import read_json
from ensemble.engine.recipes.code import versions
from ensemble.store.oof import OofStore
from ensemble.store.predictions import BY_REQUEST, Predictions, load_predictions
from ensemble.store.results import sample_sha256

_NEEDED = {
    "members", "blender", "decision", "added_logit", "predictions_sha256", "columns_sha256", "sample_sha256",
    "submission_sha256",
}  # fmt: skip


_FORMER_DECIMALS, _MOST_DECIMALS = 8, 17  # the former is that of version 0.1.0


def manifest(blend: Blend, inputs: Inputs, store: OofStore, guard: Guard, settings: BlendSettings) -> dict[str, Any]:
    """Return the manifest of a blend, without the hashes of the files beside it, which are not written yet."""
    predictions, chosen = inputs.predictions, blend.choice.chosen
    weights = chosen.blender.member_weights(len(inputs.members))
    folded = bool(inputs.problem.held_out)
    content = {
        "chosen": chosen.title,
        "reason": blend.choice.reason,
        "measured_on": "nested OOF" if folded else "OOF, all rows of one fold: nothing could be held out",
        "nested": score(to_probabilities(blend.rule.nested), inputs.problem.labels),
        "nested_of_the_chosen": chosen.nested_scores,
        "decision_rule": blend.rule.title,
        "decision": blend.rule.decision,
        "elected_rules": blend.rule.elected,
        "prior": blend.prior and {**asdict(blend.prior), "in_words": blend.prior.in_words(settings.correct_prior)},
        "added_logit": blend.added_logit,
        "guard": {**asdict(guard), "lines": guard.lines()},
        "best_member": _best_member(blend),
        "elected": [part.blender.title for part in blend.choice.choosing.parts],
        "members": inputs.members,
        "waiting": inputs.waiting,
        "weights": None if np.isnan(weights).any() else weights,
        "left_out": predictions.left_out,
        "without": [name for name, reason in predictions.left_out.items() if reason == BY_REQUEST],
        "partial": predictions.partial,
        "blenders": {e.title: _summary(number, blend, inputs) for number, e in enumerate(blend.evaluations)},
        "rules": {rule.title: _rule(rule) for rule in blend.rules},
        "worth": blend.worth and _worth(blend.worth),
        "outlook": blend.outlook and {**asdict(blend.outlook), "lines": blend.outlook.lines()},
        "rows": {"oof": len(inputs.problem.labels), "test": len(inputs.test)},
        "folds_sha256": predictions.ledger.sha256,
        "data_sha256": store.facts()["sha256"],
        "sample_sha256": sample_sha256(store),
        "columns_sha256": inputs.columns_sha256,
        "altered_sha256": inputs.altered and inputs.altered.sha256,
        "synthetic": store.facts()["synthetic"],
        "without_photograph": store.sample().fixed,
        "decimals": DECIMALS,
        "predictions_sha256": predictions.hashes,
        "seed": settings.seed,
        "versions": versions(),
        "blender": chosen.blender.state(),
    }
    plain: dict[str, Any] = _plain(content)
    return plain


def rebuild(path: Location, store: OofStore, target: Location, experiment: Experiment | None = None) -> str:
    """Write the submission of a manifest again from the store's predictions; return its sha256.

    `experiment` is the one that was blended, if it is not the one that the store was last trained for.

    Raises
    ------
    UserError
        The store has changed since the manifest was written, or the bytes differ; nothing is written.
    """
    content = _read(path)
    predictions = load_predictions(store, experiment)
    _check_unchanged(path, content, store, predictions)
    test = test_logits_of(store, predictions, content["members"], content["columns_sha256"])
    try:
        probabilities = _decide(content, test)
    except Exception:  # an edited file may hold anything
        raise UserError(f"{path} describes no blender of these members; was it edited?") from None
    text = submission_text(store.sample(), probabilities, content["decimals"])
    if text_sha256(text) != content["submission_sha256"]:
        raise UserError(f"{path} gives a different submission here than the one it describes; was it edited?")
    write_text(target, text)
    return text_sha256(text)


def _check_unchanged(path: Location, content: dict[str, Any], store: OofStore, predictions: Predictions) -> None:
    """Raise a UserError if the manifest was made from predictions, members or a sample that differ from the store's."""
    expected, actual, members = content["predictions_sha256"], predictions.hashes, set(content["members"])
    relevant = {key for key in {*expected, *actual} if key.partition("/")[0] in members}
    changed = sorted(key for key in relevant if expected.get(key) != actual.get(key))
    if changed or not members <= set(predictions.members) or content["sample_sha256"] != sample_sha256(store):
        what = f"predictions of {first_few(changed)}" if changed else "members or rows of the sample submission"
        raise UserError(f"{path} was made from different {what}; blend again")


def _decide(content: dict[str, Any], test: Logits) -> NDArray[np.float64]:
    """Return the probabilities of the test rows by the blender and the decision of a manifest."""
    blender, decision = restored(content["blender"]), Decision(**content["decision"])
    seen = blender.columns_of(test, len(content["members"]))
    return to_probabilities(decision(blender.decision_function(seen)) + content["added_logit"])


def _read(path: Location) -> dict[str, Any]:
    try:
        content = read_json(path, dict)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a blend.json; is it missing or damaged?") from error
    if not set(content) >= _NEEDED:
        raise UserError(f"{path} is not a blend.json: it needs the keys {', '.join(sorted(_NEEDED))}")
    members, hashes = content["members"], content["predictions_sha256"]
    if (
        not isinstance(hashes, dict)
        or not isinstance(members, list)
        or not members
        or not all(isinstance(m, str) for m in members)
    ):
        raise UserError(f"{path} lists no members or predictions; was it edited?")
    if content.setdefault("decimals", _FORMER_DECIMALS) not in range(_MOST_DECIMALS + 1):
        raise UserError(f"{path}: decimals must be a whole number up to {_MOST_DECIMALS}; was it edited?")
    return content


def _summary(number: int, blend: Blend, inputs: Inputs) -> dict[str, Any]:
    evaluation, changes, members = blend.evaluations[number], blend.choice.changes, inputs.members
    correct = correct_logits(evaluation.nested, inputs.problem.labels)
    weights = evaluation.blender.member_weights(len(members))
    return {
        "in_sample": evaluation.in_sample_scores,
        "nested": evaluation.nested_scores,
        "optimism": evaluation.optimism,
        "changed_when_altered": None if changes is None else changes[number].mean(),
        "against": {rival: _in_words(compare(correct, before)) for rival, before in blend.rivals.items()},
        "weights": None if np.isnan(weights).any() else dict(zip(members, weights.tolist(), strict=True)),
        "inclusion": getattr(evaluation.blender, "inclusion_", None),
        "seconds": blend.seconds[evaluation.title],
    }


def _best_member(blend: Blend) -> dict[str, Any]:
    """Return the member with the most correct decisions, found on the rows on which it is scored."""
    name = list(blend.rivals)[-1]
    return {"name": name, "accuracy": float(blend.rivals[name].mean())}


def _worth(worth: Worth) -> dict[str, Any]:
    members = [
        {**asdict(member), "gain": _in_words(member.gain), "added_to_best": _in_words(member.added_to_best)}
        for member in worth.members
    ]
    return {**asdict(worth), "members": members}


def _in_words(comparison: Comparison | None) -> dict[str, Any] | None:
    return None if comparison is None else {**asdict(comparison), "in_words": comparison.in_words()}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "decision": rule.decision,
        "decisions": _in_words(rule.decisions),
        "log_loss_gain": rule.log_loss_gain,
        "log_loss_error": rule.log_loss_error,
    }


def _plain(value: Any) -> Any:
    """Convert to plain JSON values; null for what is not finite."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
