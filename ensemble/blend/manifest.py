"""blend.json: everything from which the bytes of submit.csv can be made again, and doing so."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.compared import Blend
from ensemble.blend.guard import Guard
from ensemble.blend.inputs import Inputs, load_inputs
from ensemble.blend.nested import Evaluation
from ensemble.blend.roster import restored
from ensemble.blend.threshold import Decision, Rule
from ensemble.blend.worth import Worth
from ensemble.errors import UserError
from ensemble.files import write_text
from ensemble.metrics import is_right, score, to_probabilities
from ensemble.oof import OofStore
from ensemble.paired import Comparison, compare
from ensemble.predictions import load_predictions
from ensemble.provenance import digest, versions
from ensemble.submission import sha256_of, submission_text

_NEEDED = {"members", "blender", "decision", "added_logit", "predictions_sha256", "sample_sha256", "submission_sha256"}


def manifest(blend: Blend, inputs: Inputs, store: OofStore, guard: Guard, seed: int) -> dict[str, Any]:
    """The manifest of a blend, without the hashes of the files beside it, which are not written yet."""
    predictions, chosen = inputs.predictions, blend.choice.chosen
    weights = chosen.blender.member_weights(len(predictions.members))
    content = {
        "chosen": chosen.title,
        "reason": blend.choice.reason,
        "measured_on": "nested OOF; the choice among the blenders was made on the same nested scores",
        "nested_with_choice": score(to_probabilities(blend.choice.nested), inputs.problem.labels),
        "decision_rule": blend.rule.title,
        "decision": blend.rule.decision,
        "prior": {**asdict(blend.prior), "warning": blend.prior.warning()},
        "added_logit": blend.added_logit,
        "guard": {**asdict(guard), "lines": guard.lines()},
        "members": predictions.members,
        "weights": None if np.isnan(weights).any() else weights,
        "left_out": predictions.left_out,
        "partial": predictions.partial,
        "blenders": {e.title: _summary(e, blend, inputs) for e in blend.evaluations},
        "rules": {rule.title: _rule(rule) for rule in blend.rules},
        "worth": blend.worth and _worth(blend.worth),
        "outlook": blend.outlook and {**asdict(blend.outlook), "lines": blend.outlook.lines()},
        "rows": {"oof": len(inputs.problem.labels), "test": len(inputs.test)},
        "folds_sha256": predictions.ledger.sha256,
        "data_sha256": store.facts()["sha256"],
        "sample_sha256": _sample_sha256(store),
        "columns_sha256": inputs.columns_sha256,
        "synthetic": store.facts()["synthetic"],
        "predictions_sha256": predictions.hashes,
        "seed": seed,
        "versions": versions(),
        "blender": chosen.blender.state(),
    }
    plain: dict[str, Any] = _plain(content)
    return plain


def rebuild(path: Path, store: OofStore, target: Path) -> str:
    """Write the submission of a manifest again from the store's predictions; returns its sha256.

    Raises
    ------
    UserError
        The store no longer holds what the manifest was made from, or gives other bytes; nothing is written.
    """
    recipe = _read(path)
    experiment = store.experiment()
    inputs = load_inputs(store, experiment, load_predictions(store, experiment))
    wanted, there = recipe["predictions_sha256"], inputs.predictions.hashes
    names = set(recipe["members"])
    of_members = {key: sha for key, sha in there.items() if key.partition("/")[0] in names}
    changed = sorted(key for key in wanted.keys() | of_members.keys() if wanted.get(key) != of_members.get(key))
    if changed or recipe["sample_sha256"] != _sample_sha256(store):
        what = f"predictions of {', '.join(changed[:5])}" if changed else "rows of the sample submission"
        raise UserError(f"{path} was made from other {what}; blend again")
    if recipe.get("columns_sha256") not in (None, inputs.columns_sha256):
        raise UserError(f"{path} was made with other feature columns than the store holds now; blend again")
    try:
        probabilities = _decided(recipe, inputs)
    except (KeyError, TypeError, ValueError, IndexError):
        raise UserError(f"{path} describes no blender of these members; was it edited?") from None
    text = submission_text(store.sample(), probabilities)
    if sha256_of(text) != recipe["submission_sha256"]:
        raise UserError(f"{path} gives another submission here than the one that it describes; was it edited?")
    write_text(target, text)
    return sha256_of(text)


def _decided(recipe: dict[str, Any], inputs: Inputs) -> NDArray[np.float64]:
    """Probabilities of the test rows, by the blender and the decision that a manifest tells."""
    blender, decision = restored(recipe["blender"]), Decision(**recipe["decision"])
    columns = [inputs.predictions.members.index(name) for name in recipe["members"]]
    if blender.reads_columns:
        columns += range(inputs.problem.members, inputs.test.shape[1])
    logits = blender.decision_function(inputs.test.T[columns].T)
    return to_probabilities(decision(logits) + recipe["added_logit"])


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no readable blend.json ({error})") from None
    if not isinstance(content, dict) or not set(content) >= _NEEDED:
        raise UserError(f"{path} is no blend.json: it says nothing of {', '.join(sorted(_NEEDED))}")
    return content


def _sample_sha256(store: OofStore) -> str:
    return digest(store.facts()["sample"])


def _summary(evaluation: Evaluation, blend: Blend, inputs: Inputs) -> dict[str, Any]:
    members = inputs.predictions.members
    right = is_right(to_probabilities(evaluation.nested), inputs.problem.labels)
    against = {rival: compare(right, before) for rival, before in blend.rivals.items()}
    weights = evaluation.blender.member_weights(len(members))
    return {
        "in_sample": evaluation.in_sample_scores,
        "nested": evaluation.nested_scores,
        "optimism": evaluation.optimism,
        "against": {rival: _in_words(found) for rival, found in against.items()},
        "weights": None if np.isnan(weights).any() else dict(zip(members, weights.tolist(), strict=True)),
        "inclusion": getattr(evaluation.blender, "inclusion_", None),
        "seconds": blend.seconds[evaluation.title],
    }


def _worth(worth: Worth) -> dict[str, Any]:
    members = [
        {**asdict(member), "gain": _in_words(member.gain), "added_to_best": _in_words(member.added_to_best)}
        for member in worth.members
    ]
    return {**asdict(worth), "members": members}


def _in_words(found: Comparison | None) -> dict[str, Any] | None:
    return None if found is None else {**asdict(found), "in_words": found.in_words()}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "decision": rule.decision,
        "decisions": _in_words(rule.decisions),
        "log_loss_gain": rule.log_loss_gain,
        "log_loss_error": rule.log_loss_error,
    }


def _plain(value: Any) -> Any:
    """As JSON knows it; what is not finite is null."""
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
