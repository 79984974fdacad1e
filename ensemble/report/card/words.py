"""Fixed texts of a model card: limits, use, and descriptions of blenders and decision rules.

None of them speaks of proof: what is measured is how often photographs of one collection were predicted correctly.
"""

from __future__ import annotations

LEAD = (
    "After Mitchell et al., Model Cards for Model Reporting (2019): what this ensemble is, what it was measured on, "
    "and what nobody may conclude from it. It travels with the model as model_card.md."
)
LIMITS = (
    "Other generators. It has learned from the fakes of this collection. What another generator leaves behind may be "
    "nothing that it has learned, and a diffusion model leaves other traces than a GAN.",
    "Edited photographs. A real photograph in which a face was swapped, a part was painted in or an object was removed "
    "is neither of the two classes; what will be predicted is not known.",
    "Real photographs that a program has reworked: enlarged, sharpened, restored or beautified by a network, as many "
    "phones do by themselves. They may carry a generator's traces, and be predicted fake.",
    "Screenshots, photographs of screens, scans and collages. Resampling and saving again remove or cover the traces.",
    "Strong compression, blur, small sizes: messengers and social networks do all three. A trace that is gone cannot "
    "be found, and its absence says nothing.",
    "Other cameras, faces and scenes. No group of people, cameras or subjects was scored by itself, since nothing here "
    "says who or what is in a photograph: error rates may be far higher in a group that is rare in the collection.",
    "Somebody who wants to mislead. It was never measured against images that were made to pass it.",
)
INTENDED = (
    "Filling in the submission of this competition, and studying which members and features separate real from fake.",
    "As one hint among several in checking a photograph, beside its source, its history, the people and places in it, "
    "and a reader who knows these limits; to sort a large collection by what should be looked at first.",
)
FORBIDDEN = (
    "As a proof. A probability is a statement about a collection of photographs like these, not about one photograph.",
    "Alone against a person: no accusation, sanction, refusal or publication may rest on its output.",
    "As a verdict about who is in a photograph, whether a person exists, or what happened in front of a camera. It "
    "looks at how an image was made, not at what it shows.",
    "As a seal. That a photograph is predicted real does not show that it is real, unaltered or correctly captioned.",
    "Automatically at a threshold: removing or blocking without a person who looks and somebody to appeal to.",
)
BLENDERS = {
    "mean": "the plain mean of the members' logits",
    "single_best": "the best member alone",
    "greedy": "members added one by one, with replacement, as long as more photographs are predicted correctly",
    "greedy_log_loss": "members added one by one, with replacement, by the log loss",
    "bagged_greedy": "greedy selection averaged over many random halves of the members",
    "nonnegative_logistic": "a logistic regression on the logits, no weight below zero",
    "forward": "a logistic regression, no weight below zero, on those members that helped in their order",
    "cma": "weights found by an evolution strategy",
    "tpe": "weights found by a Bayesian search",
    "logistic": "a logistic regression on the logits",
    "boosted": "boosted trees on the logits",
    "average": "the mean of several of the blenders that were tried",
}
RULES = {
    "as it is": "the blended logit is taken as it is",
    "temperature": "the blended logit is divided by a temperature, which changes its confidence and no decision",
    "temperature and bias": "the blended logit is shifted and divided by a temperature",
    "plateau": "the blended logit is shifted to the centre of the best thresholds",
}
AUDITS = {  # file in the store: what it measures, and what makes it
    "robustness/robustness.json": (
        "Altered photographs (saved again, resized, blurred, cropped, screenshots)",
        "ensemble robustness",
    ),
    "generators/generators.json": ("Fakes of an unseen kind", "ensemble generators"),
    "audit/audit.json": ("Leaks, duplicates and drift between training and test", "ensemble audit"),
}
NEVER = (
    "Photographs of other collections, other cameras and other years",
    "Error rates by group of people (age, skin, sex), for which the data has no labels",
    "Manipulation by hand, face swaps, video",
)
